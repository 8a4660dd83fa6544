/** Bedrock as a kind of provider: where it is, who calls it, and whether it would serve. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, describe, expect, it } from "vitest";
import type { ProviderSchema } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import { fold } from "../../src/core/reply.ts";
import { startEmulator } from "../../src/emulator/server.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { createProvider } from "../../src/providers/registry.ts";
import { attemptCallOf } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";
import { answers, type Play, scriptedProvider, settingsOf } from "../support/provider.ts";

const clock = new VirtualClock();
const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const ENV = { AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "right-secret" };

function providerOf(
  config: MessageInitShape<typeof ProviderSchema>,
  { env = ENV, keys = [] }: { env?: Readonly<Record<string, string>>; keys?: string[] } = {},
): Provider {
  const settings = settingsOf("bedrock", { kind: "bedrock", region: "us-east-1", ...config }, keys, clock);
  const provider = createProvider({ ...settings, env });
  open.push(provider.close);
  return provider;
}

const ONCE = { streaming: false, target: { provider: "bedrock", model: "amazon.nova-lite-v1:0" } };

it("is off without a region, and says how to give one", async () => {
  const provider = providerOf({ baseUrl: "https://bedrock-runtime.{region}.amazonaws.com", region: "" });
  expect(provider.off).toBe("its region is missing: set AWS_REGION");
  expect(await provider.availability()).toMatchObject({ status: "off" });
});

it("is in its region", async () => {
  await using server = await scriptedProvider(answers(200, {}));
  const provider = providerOf({ baseUrl: `${server.origin}/{region}/` });
  await expect(provider.serve(attemptCallOf(ONCE))).rejects.toMatchObject({ kind: "malformed_reply" });
  await provider.availability();
  expect(server.requests.map(({ url }) => url)).toEqual([
    "/us-east-1/model/amazon.nova-lite-v1%3A0/converse",
    "/us-east-1/model/llmgateway-availability/converse",
  ]);
});

describe("a call", () => {
  it("is signed, for a model by its id and by its ARN", async () => {
    const emulator = await startEmulator({ apiKey: ENV.AWS_SECRET_ACCESS_KEY });
    open.push(emulator.close);
    const arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0";
    for (const env of [ENV, { ...ENV, AWS_SESSION_TOKEN: "session" }]) {
      const provider = providerOf({ baseUrl: `${emulator.url}/base` }, { env });
      for (const model of [ONCE.target.model, arn]) {
        const call = attemptCallOf({ ...ONCE, target: { ...ONCE.target, model } });
        expect((await fold(await provider.serve(call))).response).not.toBe("");
      }
      expect(await provider.availability()).toMatchObject({ status: "available", reason: "" });
    }
    const wrong = { ...ENV, AWS_SECRET_ACCESS_KEY: "wrong-secret" };
    const provider = providerOf({ baseUrl: emulator.url }, { env: wrong });
    await expect(provider.serve(attemptCallOf(ONCE))).rejects.toMatchObject({ kind: "provider_auth" });
    expect(await provider.availability()).toMatchObject({ status: "unavailable" });
  });

  it("bears a key of Bedrock's own before it is signed", async () => {
    await using server = await scriptedProvider(answers(200, {}));
    const provider = providerOf({ baseUrl: server.origin, headers: { "x-team": "a" } }, { keys: ["key-1"] });
    await expect(provider.serve(attemptCallOf(ONCE))).rejects.toThrow();
    expect(server.requests[0]?.headers).toMatchObject({ authorization: "Bearer key-1", "x-team": "a" });
    expect(server.requests[0]?.headers).not.toHaveProperty("x-amz-date");
  });

  it("tells nobody the session that AWS repeats", async () => {
    const token = "IQoJb3JpZ2luX2VjEXAMPLE";
    const message = `The canonical string should have been 'x-amz-security-token:${token}'`;
    const headers = { "x-amzn-errortype": "InvalidSignatureException", "content-type": "application/json" };
    const play: Play = (reply) => void reply.writeHead(403, headers).end(JSON.stringify({ message }));
    await using server = await scriptedProvider(play);
    const provider = providerOf({ baseUrl: server.origin }, { env: { ...ENV, AWS_SESSION_TOKEN: token } });
    await expect(provider.serve(attemptCallOf(ONCE))).rejects.toMatchObject({
      kind: "provider_auth",
      message: expect.not.stringContaining(token),
      operator: expect.stringMatching(/x-amz-security-token:\[redacted\]/),
    });
    expect((await provider.availability()).reason).not.toContain(token);
  });
});

describe("availability", () => {
  const refusing =
    (exception: string, message: string, status = 400): Play =>
    (reply) => {
      reply.writeHead(status, { "x-amzn-errortype": `${exception}:http://internal.amazon.com/` });
      reply.end(JSON.stringify({ message }));
    };

  it.each([
    ["ValidationException", "The provided model identifier is invalid."],
    ["ValidationException", "Anything else."],
    ["ResourceNotFoundException", "No such model."],
    ["AccessDeniedException", "User is not authorized to perform: bedrock:InvokeModel"],
  ])("is there when AWS knows who asks: %s, %s", async (exception, message) => {
    await using server = await scriptedProvider(refusing(exception, message));
    expect(await providerOf({ baseUrl: server.origin }).availability()).toMatchObject({
      status: "available",
    });
  });

  it.each([
    ["UnrecognizedClientException", "The security token included in the request is invalid.", 403],
    ["AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.", 403],
    ["ServiceUnavailableException", "Busy.", 503],
  ])("is not there when AWS does not, or cannot serve: %s", async (exception, message, status) => {
    await using server = await scriptedProvider(refusing(exception, message, status));
    expect(await providerOf({ baseUrl: server.origin }).availability()).toMatchObject({
      status: "unavailable",
      reason: expect.stringMatching(/./),
    });
  });

  it("is not there when nobody can be reached", async () => {
    expect(await providerOf({ baseUrl: "http://127.0.0.1:9" }).availability()).toMatchObject({
      status: "unavailable",
      reason: "the provider cannot be reached",
    });
  });
});
