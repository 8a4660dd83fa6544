import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, describe, expect, it } from "vitest";
import type { ProviderSchema } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import { fold } from "../../src/core/reply.ts";
import { type Emulator, startEmulator } from "../../src/emulator/server.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { createProvider } from "../../src/providers/registry.ts";
import { attemptCallOf } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";
import { answers, scriptedProvider, settingsOf } from "../support/provider.ts";

const clock = new VirtualClock();
const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function providerOf(config: MessageInitShape<typeof ProviderSchema>, apiKey?: string): Provider {
  const provider = createProvider(settingsOf("one", config, apiKey ? [apiKey] : [], clock));
  open.push(provider.close);
  return provider;
}

async function emulated(apiKey?: string): Promise<Emulator> {
  const emulator = await startEmulator(apiKey === undefined ? {} : { apiKey });
  open.push(emulator.close);
  return emulator;
}

const ONCE = { streaming: false, target: { provider: "one", model: "gpt-4o" } };

describe("a provider that is off says why, and what to do", () => {
  const baseUrl = "http://127.0.0.1:9/v1";

  it.each<[string, MessageInitShape<typeof ProviderSchema>, string]>([
    ["no key", { kind: "openai", baseUrl, apiKeyEnv: "SOME_KEY" }, "its key is missing: set SOME_KEY"],
    ["no place for a key", { kind: "openai", baseUrl }, "it has no api_key_env in the configuration"],
    [
      "a place for a key that is not needed, but no key",
      { kind: "openai_compatible", baseUrl, apiKeyEnv: "SOME_KEY" },
      "its key is missing: set SOME_KEY",
    ],
    ["switched off", { kind: "mock", enabled: false }, "switched off in the configuration"],
  ])("%s", async (_, config, reason) => {
    const provider = providerOf(config);
    expect(provider).toMatchObject({ name: "one", kind: config.kind, off: reason });
    expect(await provider.availability()).toEqual({ status: "off", reason });
    await expect(provider.serve(attemptCallOf(ONCE))).rejects.toMatchObject({
      kind: "provider_unavailable",
      message: `the provider one is off: ${reason}`,
    });
  });

  it("even with a key, when it is switched off", () => {
    const config = { kind: "openai", baseUrl, apiKeyEnv: "SOME_KEY", enabled: false };
    expect(providerOf(config, "key").off).toBe("switched off in the configuration");
  });
});

describe("a provider that is on", () => {
  it("mocks without anything", async () => {
    const provider = providerOf({ kind: "mock" });
    expect(provider.off).toBe("");
    expect(await provider.availability()).toEqual({ status: "available", reason: "" });
    expect((await fold(await provider.serve(attemptCallOf(ONCE)))).response).toContain("mock provider");
  });

  it("bears its key as a bearer token", async () => {
    const { url } = await emulated("right-key");
    const config = { kind: "openai", baseUrl: `${url}/v1/`, apiKeyEnv: "SOME_KEY" };
    const call = attemptCallOf(ONCE);
    expect((await fold(await providerOf(config, "right-key").serve(call))).response).not.toBe("");
    expect(call.attempt).toMatchObject({
      usage: { provenance: "measured" },
      servedModel: expect.stringContaining("gpt-4o"),
    });
    const wrong = providerOf(config, "wrong-key").serve(attemptCallOf(ONCE));
    await expect(wrong).rejects.toMatchObject({ kind: "provider_auth" });
  });

  it("bears its key, its own headers and its query as the configuration says", async () => {
    await using server = await scriptedProvider(answers(200, {}));
    const provider = providerOf(
      {
        kind: "openai_compatible",
        baseUrl: `${server.origin}/openai/deployments/d`,
        headers: { "x-team": "search" },
        dialect: { keyHeader: "api-key", query: "api-version=2024-10-21", maxTokensField: "max_tokens" },
      },
      "azure-key",
    );
    const parameters = { maxTokens: 7 };
    await expect(provider.serve(attemptCallOf({ ...ONCE, request: { parameters } }))).rejects.toMatchObject({
      kind: "malformed_reply",
    });
    expect(server.requests).toMatchObject([
      {
        url: "/openai/deployments/d/chat/completions?api-version=2024-10-21",
        headers: { "api-key": "azure-key", "x-team": "search", "content-type": "application/json" },
      },
    ]);
    expect(server.requests[0]?.headers).not.toHaveProperty("authorization");
    expect(JSON.parse(server.requests[0]?.body ?? "")).toMatchObject({ max_tokens: 7 });
  });

  it("bears its key as Anthropic wants it, beside its version", async () => {
    await using server = await scriptedProvider(answers(200, {}));
    const headers = { "anthropic-beta": "context-1m-2025-08-07" };
    const config = { kind: "claude", baseUrl: `${server.origin}/base/`, apiKeyEnv: "SOME_KEY", headers };
    const provider = providerOf(config, "right-key");
    await expect(provider.serve(attemptCallOf(ONCE))).rejects.toMatchObject({ kind: "malformed_reply" });
    await provider.availability();
    const sent = { "x-api-key": "right-key", "anthropic-version": "2023-06-01", ...headers };
    expect(server.requests).toMatchObject([
      { url: "/base/v1/messages", headers: sent },
      { url: "/base/v1/models?limit=1", headers: sent },
    ]);
  });

  it("needs no key when it speaks to models in the house", async () => {
    await using server = await scriptedProvider(answers(200, {}));
    const provider = providerOf({ kind: "openai_compatible", baseUrl: server.origin });
    expect(provider.off).toBe("");
    await expect(provider.serve(attemptCallOf(ONCE))).rejects.toThrow();
    expect(server.requests[0]?.headers).not.toHaveProperty("authorization");
  });

  it("keeps a key to itself that the provider repeats, whatever it looks like", async () => {
    const key = "plain0123456789";
    const message = `no such key ${key}, Bearer ${key}`;
    await using server = await scriptedProvider(answers(401, { error: { message } }));
    const provider = providerOf({ kind: "openai_compatible", baseUrl: server.origin }, key);
    const failure = await provider.serve(attemptCallOf(ONCE)).catch((error: unknown) => error);
    expect(failure).toMatchObject({ kind: "provider_auth", operator: expect.stringContaining("[redacted]") });
    expect(failure).toMatchObject({ message: expect.not.stringContaining(key) });
    expect(failure).toMatchObject({ operator: expect.not.stringContaining(key) });
    const { status, reason } = await provider.availability();
    expect(status).toBe("unavailable");
    expect(reason).toContain("[redacted]");
    expect(reason).not.toContain(key);
  });
});

describe("availability", () => {
  it("is asked of the provider, and remembered for half a minute", async () => {
    const { url, meter } = await emulated("right-key");
    const baseUrl = `${url}/v1`;
    const right = providerOf({ kind: "openai", baseUrl, apiKeyEnv: "SOME_KEY" }, "right-key");
    const checkedAtMs = clock.now();
    expect(await right.availability()).toEqual({ status: "available", reason: "", checkedAtMs });
    await clock.advance(30_000);
    await right.availability();
    expect(meter.requests).toHaveLength(1);
    await clock.advance(1);
    await right.availability();
    expect(meter.requests).toHaveLength(2);
    const wrong = providerOf({ kind: "openai", baseUrl, apiKeyEnv: "SOME_KEY" }, "wrong-key");
    expect(await wrong.availability()).toMatchObject({
      status: "unavailable",
      reason: expect.stringContaining("401"),
    });
  });

  it.each(["openai_compatible", "claude"])(
    "is there for a provider that answers, but has no list of models: %s",
    async (kind) => {
      await using server = await scriptedProvider(answers(404, {}));
      const provider = providerOf({ kind, baseUrl: server.origin, apiKeyEnv: "SOME_KEY" }, "some-key");
      expect(await provider.availability()).toMatchObject({ status: "available", reason: "" });
    },
  );

  it.each(["openai_compatible", "claude"])(
    "is not there for one that cannot be reached: %s",
    async (kind) => {
      const provider = providerOf({ kind, baseUrl: "http://127.0.0.1:9", apiKeyEnv: "SOME_KEY" }, "some-key");
      expect(await provider.availability()).toMatchObject({
        status: "unavailable",
        reason: expect.stringMatching(/./),
      });
    },
  );

  it("says why Anthropic would not serve, and no key", async () => {
    const error = { type: "authentication_error", message: "no such key plain0123456789" };
    await using server = await scriptedProvider(answers(401, { type: "error", error }));
    const config = { kind: "claude", baseUrl: server.origin, apiKeyEnv: "SOME_KEY" };
    expect(await providerOf(config, "plain0123456789").availability()).toMatchObject({
      status: "unavailable",
      reason: "401 no such key [redacted]",
    });
  });
});

it.each([
  [{ kind: "acme" }, 'one: there is no kind of provider "acme"'],
  [{ kind: "openai_compatible", baseUrl: "nowhere" }, '"nowhere" is not a URL'],
])("%j cannot be built", (config, message) => {
  expect(() => providerOf(config)).toThrow(message);
});
