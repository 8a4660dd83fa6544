/** Gemini as a provider: its key's header, its list of models, and the faults of both. */
import { afterEach, expect, test } from "vitest";
import { fold } from "../../src/core/reply.ts";
import { startEmulator } from "../../src/emulator/server.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { createProvider } from "../../src/providers/registry.ts";
import { attemptCallOf } from "../support/call.ts";
import { answers, scriptedProvider, settingsOf } from "../support/provider.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function gemini(baseUrl: string, key = "right-key"): Provider {
  const config = { kind: "gemini", baseUrl, apiKeyEnv: "KEY", headers: { "x-team": "a" } };
  const provider = createProvider(settingsOf("gemini", config, key ? [key] : []));
  open.push(provider.close);
  return provider;
}

const CALL = { streaming: false, target: { provider: "gemini", model: "gemini-2.5-flash" } };

test("is off without a key", () => {
  expect(gemini("http://127.0.0.1:9", "").off).toBe("its key is missing: set KEY");
});

test("bears its key in Google's header, and asks for its models to see whether it would serve", async () => {
  const emulator = await startEmulator({ apiKey: "right-key" });
  open.push(emulator.close);
  const right = gemini(`${emulator.url}/v1beta/`);
  expect((await fold(await right.serve(attemptCallOf(CALL)))).response).toMatch(/^This is the answer/);
  expect(await right.availability()).toMatchObject({ status: "available", reason: "" });
  expect(emulator.meter.requests.map(({ path }) => path)).toEqual([
    "/v1beta/models/gemini-2.5-flash:generateContent",
    "/v1beta/models?pageSize=1",
  ]);
  const wrong = gemini(`${emulator.url}/v1beta`, "wrong-key");
  await expect(wrong.serve(attemptCallOf(CALL))).rejects.toMatchObject({ kind: "provider_auth" });
  expect(await wrong.availability()).toMatchObject({
    status: "unavailable",
    reason: "the provider refused the gateway's credentials",
  });
});

test("sends its own headers, when it asks too", async () => {
  await using server = await scriptedProvider(answers(200, {}));
  const provider = gemini(server.origin);
  await provider.availability();
  await expect(provider.serve(attemptCallOf(CALL))).rejects.toMatchObject({ kind: "cut" });
  for (const { headers } of server.requests)
    expect(headers).toMatchObject({ "x-team": "a", "x-goog-api-key": "right-key" });
});

test("is unavailable when it cannot be reached, or is overloaded", async () => {
  expect(await gemini("http://127.0.0.1:9").availability()).toMatchObject({
    status: "unavailable",
    reason: "the provider cannot be reached",
  });
  await using server = await scriptedProvider(answers(503, { error: { code: 503, status: "UNAVAILABLE" } }));
  expect(await gemini(server.origin).availability()).toMatchObject({
    status: "unavailable",
    reason: "the provider is overloaded",
  });
});

test("has read a prompt that it blocks, and what that cost is kept", async () => {
  const blocked = {
    promptFeedback: { blockReason: "SAFETY" },
    usageMetadata: { promptTokenCount: 9, totalTokenCount: 9 },
  };
  await using server = await scriptedProvider(answers(200, blocked));
  const call = attemptCallOf(CALL);
  await expect(gemini(server.origin).serve(call)).rejects.toMatchObject({ kind: "content_filtered" });
  expect(call.attempt.usage).toMatchObject({ inputTokens: 9, outputTokens: 0 });
});
