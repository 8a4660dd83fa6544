/** Circuits by hand and by themselves, and who may set them: on every protocol, with a provider that fails and returns. */
import { createHash } from "node:crypto";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { VirtualClock } from "../support/clock.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const KEYS = { caller: "a-key-to-call", operator: "a-key-to-operate" };
const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");
const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });

const TRANSPORTS: readonly [string, (baseUrl: string) => Transport][] = [
  [
    "Connect in JSON",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  ],
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
];

const ask = (content: string) => ({ model: "openai/gpt-4o", messages: [{ role: "user", content }] });

describe("with keys", () => {
  let both: GatewayUnderTest;
  beforeAll(async () => {
    const keys = [
      { name: "caller", sha256: sha256(KEYS.caller) },
      { name: "operator", sha256: sha256(KEYS.operator), scopes: ["admin"] },
    ];
    both = await startBoth({ auth: { keys }, server: { host: "127.0.0.1" } });
  });
  afterAll(() => both[Symbol.asyncDispose]());

  describe.each(TRANSPORTS)("%s", (_, transport) => {
    test("takes the scope admin for operators, and the scope call for callers", async () => {
      const admin = createClient(AdminService, transport(both.url));
      const gateway = createClient(GatewayService, transport(both.url));
      const denied = async (reply: Promise<unknown>, message: string) => {
        const error = await reply.then(() => undefined, ConnectError.from);
        expect([error?.code, error?.rawMessage]).toEqual([Code.PermissionDenied, message]);
        expect(error?.findDetails(ErrorInfoSchema)[0]?.reason).toBe("permission_denied");
      };
      await denied(
        admin.listCircuits({}, bearer(KEYS.caller)),
        "AdminService takes an API key with the scope admin",
      );
      const call = gateway.chat(ask("Hello"), bearer(KEYS.operator));
      await denied(call, "GatewayService takes an API key with the scope call");
      expect((await admin.listCircuits({}, bearer(KEYS.operator))).circuits).not.toEqual([]);
    });
  });

  test("says so by REST's status", async () => {
    const reply = await fetch(`${both.url}/v1/gateway/circuits`, bearer(KEYS.caller));
    expect([reply.status, await reply.json()]).toMatchObject([403, { code: "permission_denied" }]);
  });
});

describe("by hand", () => {
  let both: GatewayUnderTest;
  beforeAll(async () => {
    both = await startBoth();
  });
  afterAll(() => both[Symbol.asyncDispose]());

  const put = async (provider: string, body: object) => {
    const method = "PUT";
    const headers = { "content-type": "application/json" };
    const url = `${both.url}/v1/gateway/providers/${provider}/circuit`;
    const reply = await fetch(url, { method, headers, body: JSON.stringify(body) });
    return { status: reply.status, json: await reply.json() };
  };

  test.each(TRANSPORTS)("an open one refuses calls, which reach no provider (%s)", async (_, transport) => {
    const gateway = createClient(GatewayService, transport(both.url));
    const set = await put("openai", { mode: "open" });
    expect(set).toMatchObject({ status: 200, json: { provider: "openai", state: "open", mode: "open" } });
    const before = both.emulator.meter.requests.length;
    const error = await gateway.chat(ask("Hello")).then(() => undefined, ConnectError.from);
    expect([error?.code, error?.findDetails(ErrorInfoSchema)[0]?.reason]).toEqual([
      Code.Unavailable,
      "circuit_open",
    ]);
    expect(both.emulator.meter.requests).toHaveLength(before);
    const admin = createClient(AdminService, transport(both.url));
    await admin.setCircuit({ provider: "openai", mode: "automatic" });
    expect((await gateway.chat(ask("Hello"))).provider).toBe("openai");
  });

  test("that of one model leaves the others alone", async () => {
    await put("openai", { model: "gpt-4o", mode: "open" });
    const gateway = createClient(GatewayService, createGrpcTransport({ baseUrl: both.url }));
    await expect(gateway.chat(ask("Hello"))).rejects.toThrow("openai/gpt-4o");
    expect((await gateway.chat({ ...ask("Hello"), model: "openai/gpt-4o-mini" })).model).toBe("gpt-4o-mini");
    await put("openai", { model: "gpt-4o", mode: "automatic" });
  });

  test("names what is wrong", async () => {
    expect(await put("opnai", { mode: "open" })).toMatchObject({
      status: 404,
      json: { message: expect.stringMatching(/^provider: there is no provider "opnai"; there are openai, /) },
    });
    expect(await put("openai", { mode: "shut" })).toMatchObject({
      status: 400,
      json: { message: expect.stringMatching(/^mode: /) },
    });
  });
});

test("a provider that fails is left alone, and has calls again once it returns", async () => {
  const clock = new VirtualClock(Date.now());
  await using both = await startBoth({ resilience: { retries: { max: 0 } } }, { clock });
  const gateway = createClient(GatewayService, createGrpcTransport({ baseUrl: both.url }));
  const chat = (content: string) => gateway.chat(ask(content)).then(() => undefined, ConnectError.from);
  const failing = "[[emulate: status=503]] Hello";
  for (let number = 0; number < 10; number++) await chat(failing);
  const called = both.emulator.meter.requests.length;
  expect(called).toBe(10);
  const refused = await chat("Hello");
  expect(refused?.findDetails(ErrorInfoSchema)[0]?.reason).toBe("circuit_open");
  expect(Number(refused?.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds)).toBe(30);
  expect(both.emulator.meter.requests).toHaveLength(called);
  const { providers } = await gateway.getStatus({});
  expect(providers.find(({ name }) => name === "openai")).toMatchObject({ circuit: "open" });
  const metrics = async () => (await fetch(`${both.url}/v1/gateway/metrics`)).text();
  expect(await metrics()).toContain('llm_circuit_breaker_state{provider="openai"} 2');

  // The status has asked the providers whether they would serve.
  const checked = both.emulator.meter.requests.length;
  await clock.advance(30_000);
  await Promise.all(Array.from({ length: 20 }, () => chat(failing)));
  expect(both.emulator.meter.requests).toHaveLength(checked + 1);
  await clock.advance(30_000);
  expect(await chat("Hello")).toBeUndefined();
  expect(await chat("Hello")).toBeUndefined();
  expect(await metrics()).toContain('llm_circuit_breaker_state{provider="openai"} 0');
  const told = both.log.events.filter(({ msg, model }) => msg === "circuit" && !model);
  expect(told.map(({ state }) => state)).toEqual(["open", "half_open", "open", "half_open", "closed"]);
});
