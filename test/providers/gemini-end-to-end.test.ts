/** Gemini and Vertex AI through the whole gateway, in front of the emulator, which refuses what Google refuses. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ChatInit } from "../support/callers.ts";
import { ANSWERED } from "../support/standing.ts";
import {
  answered,
  checkBroken,
  checkLeaving,
  kindOf,
  messageOf,
  type ThroughGateway,
  throughGateway,
  tool,
} from "../support/through-gateway.ts";

let google: ThroughGateway;
beforeAll(async () => {
  google = await throughGateway();
});
afterAll(() => google[Symbol.asyncDispose]());
beforeEach(() => google.both.emulator.meter.reset());

function ask(content: string, more: ChatInit = {}): ChatInit {
  return { messages: [{ role: "user", content }], model: "gemini", ...more };
}

describe.each([
  ["gemini", "gemini-2.5-flash"],
  ["vertex_ai", "gemini-2.0-flash"],
])("a chat with %s", (provider, model) => {
  test("and its stream say the same, and use what was metered", async () => {
    const whole = await google.chat(ask("What is new?", { model: provider }));
    expect(whole).toMatchObject({ provider, model, finishReason: "stop" });
    expect(whole.attempts[0]?.usage).toMatchObject({ ...(await google.metered(1)), provenance: "measured" });
    const events = await google.streamed(ask("What is new?", { model: provider }));
    expect(events.map(({ token = "" }) => token).join("")).toBe(whole.response);
    const { receipt, done } = events.at(-1) ?? {};
    expect(done).toBe(true);
    expect(receipt?.attempts[0]).toMatchObject({
      servedModel: model,
      usage: { ...(await google.metered(2)), provenance: "measured", serviceTier: "standard" },
    });
  });

  test("is JSON of a schema", async () => {
    const schemaJson = '{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"]}';
    const responseFormat = { type: "json_schema", schemaJson };
    const { response } = await google.chat(ask("Hi", { model: provider, responseFormat }));
    expect(JSON.parse(response)).toEqual({ age: expect.any(Number) });
  });

  test("ends where it is told, and gives as many answers", async () => {
    const parameters = { maxTokens: 2, stop: ["answer"] };
    expect(await google.chat(ask("Hi", { model: provider, parameters }))).toMatchObject({
      finishReason: "length",
      response: "This is",
    });
    const several = await google.chat(ask("Hi", { model: provider, parameters: { choices: 2 } }));
    expect(several.choices.map(({ index, finishReason }) => [index, finishReason])).toEqual([
      [0, "stop"],
      [1, "stop"],
    ]);
    expect(several.attempts[0]?.usage).toMatchObject(await google.metered(2));
  });

  test("reads a long prompt from the cache, which is cheaper", async () => {
    const request = ask(`${provider} handbook. `.repeat(400), { model: provider });
    await google.chat(request);
    const { attempts } = await google.chat(request);
    const used = await google.metered(2);
    expect(used.cachedInputTokens).toBeGreaterThan(1024);
    expect(attempts[0]?.usage).toMatchObject(used);
  });
});

test("Claude answers on Vertex AI in its own format", async () => {
  const modelVersion = "claude-haiku-4-5@20251001";
  const { response, attempts } = await google.chat(ask("Hi", { model: "vertex_ai", modelVersion }));
  expect(response).toMatch(/^This is the answer/);
  expect(attempts[0]?.usage).toMatchObject({ ...(await google.metered(1)), provenance: "measured" });
});

describe("a conversation with tools and thoughts", () => {
  const tools = [tool("get_weather"), tool("get_time")];

  // The emulator wants signatures back from the third generation on, as Google does.
  test.each([
    ["gemini-2.0-flash", {}],
    ["gemini-2.5-flash", { reasoningBudgetTokens: 512, maxTokens: 4000 }],
    ["gemini-3.5-flash", { reasoningEffort: "low" }],
  ])("goes on with what came, with %s", async (modelVersion, parameters) => {
    const question = ask("Use get_weather and get_time", { modelVersion, parameters, tools });
    const first = await google.chat(question);
    expect(first.finishReason).toBe("tool_calls");
    expect(first.toolCalls.map(({ name }) => name)).toEqual(["get_weather", "get_time"]);
    expect(new Set(first.toolCalls.map(({ id }) => id)).size).toBe(2);
    expect(first.attempts[0]?.usage).toMatchObject(await google.metered(1));
    const messages = [...(question.messages ?? []), messageOf(first), answered(first)];
    const second = await google.chat({ ...question, messages });
    expect(second.finishReason).toBe("stop");
    const third = [...messages, messageOf(second), { role: "user", content: "And now?" }];
    expect((await google.chat({ ...question, messages: third })).finishReason).toBe("stop");
  });

  test("streams thoughts, then each call whole with its signature", async () => {
    const parameters = { reasoningEffort: "low" };
    const modelVersion = "gemini-3.5-flash";
    const events = await google.streamed(
      ask("Use get_weather and get_time", { modelVersion, parameters, tools }),
    );
    const calls = events.flatMap(({ toolCall }) => (toolCall ? [toolCall] : []));
    expect(calls).toMatchObject(
      [
        { index: 0, name: "get_weather", arguments: '{"city":"sample city"}', signature: /==$/ },
        { index: 1, name: "get_time", arguments: '{"city":"sample city"}' },
      ].map(({ signature, ...call }) =>
        signature ? { ...call, signature: expect.stringMatching(signature) } : call,
      ),
    );
    const thoughts = events.flatMap(({ reasoning }) => (reasoning ? [reasoning.text] : []));
    expect(thoughts.join("")).toMatch(/^The question is plain/);
    expect(events.at(-1)).toMatchObject({ done: true, finishReason: "tool_calls" });
  });

  test("may have begun with another provider", async () => {
    const question = ask("Use get_weather", { model: "openai/gpt-4o", tools });
    const first = await google.chat(question);
    const messages = [...(question.messages ?? []), messageOf(first), answered(first)];
    const second = await google.chat({ ...question, messages, model: "gemini/gemini-3.5-flash" });
    expect(second).toMatchObject({ provider: "gemini", finishReason: "stop" });
  });
});

describe("a call that fails", () => {
  const failing = (directive: string, more: ChatInit = {}) => ask(`[[emulate: ${directive}]] Hi`, more);

  test.each([
    ["status=429 retry_after=2", "provider_rate_limited"],
    ["code=quota_per_day", "quota_exhausted"],
    ["code=context_length_exceeded", "context_too_long"],
    ["code=API_KEY_INVALID", "provider_auth"],
    ["code=UNAUTHENTICATED", "provider_auth"],
    ["code=PERMISSION_DENIED", "provider_permission"],
    ["code=FAILED_PRECONDITION", "provider_permission"],
    ["code=NOT_FOUND", "model_not_found"],
    ["code=INVALID_ARGUMENT", "provider_bad_request"],
    ["code=SAFETY", "content_filtered"],
    ["status=503", "provider_overloaded"],
    ["status=504", "provider_timeout"],
    ["status=500", "provider_error"],
    ["error_event=0", "provider_error"],
    ["error_event=2 status=503", "provider_overloaded"],
    ["cut=1", "cut"],
    ["malformed=1", "malformed_reply"],
    ["reset=1", "cut"],
  ])("%s is %s, whole and streamed, in either API", async (directive, kind) => {
    for (const model of ["gemini", "vertex_ai"]) {
      expect(await kindOf(() => google.chat(failing(directive, { model })))).toBe(kind);
      expect(await kindOf(() => google.streamed(failing(directive, { model })))).toBe(kind);
    }
  });

  test("in the middle of a stream keeps the prompt's figures, and estimates the answer from below", async () => {
    for (const model of ["gemini", "vertex_ai"]) await checkBroken(google, model);
  });

  test("without figures is estimated", async () => {
    const { attempts } = await google.chat(failing("no_usage=1"));
    expect(attempts[0]?.usage?.provenance).toBe("estimated");
  });

  test("ends at the provider when the caller leaves", async () => {
    await checkLeaving(google, "gemini");
  });
});

test("both are there, by the calls that cost nothing", async () => {
  const status = await (await fetch(`${google.both.url}/v1/gateway/status`)).json();
  expect(status).toMatchObject({
    providers: expect.arrayContaining([
      expect.objectContaining({ name: "gemini", kind: "gemini", ...ANSWERED }),
      expect.objectContaining({ name: "vertex_ai", kind: "vertex_ai", ...ANSWERED }),
    ]),
  });
});
