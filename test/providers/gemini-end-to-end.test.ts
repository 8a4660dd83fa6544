/** Gemini and Vertex AI through the whole gateway, in front of the emulator, which refuses what Google refuses. */
import { describe, expect, test } from "vitest";
import type { ChatInit } from "../support/callers.ts";
import {
  answered,
  checkBroken,
  converseWithTools,
  endToEnd,
  kindOf,
  messageOf,
  testChats,
  tool,
} from "../support/end-to-end.ts";
import { ANSWERED } from "../support/standing.ts";

const run = endToEnd();
const { streamed, metered } = run;

function ask(content: string, more: ChatInit = {}): ChatInit {
  return { messages: [{ role: "user", content }], model: "gemini", ...more };
}

describe.each([
  ["gemini", "gemini-2.5-flash"],
  ["vertex_ai", "gemini-2.0-flash"],
])("a chat with %s", (provider, model) => {
  test("and its stream say the same, and use what was metered", async () => {
    const whole = await run.rest.chat(ask("What is new?", { model: provider }));
    expect(whole).toMatchObject({ provider, model, finishReason: "stop" });
    expect(whole.attempts[0]?.usage).toMatchObject({ ...(await metered(1)), provenance: "measured" });
    const events = await streamed(ask("What is new?", { model: provider }));
    expect(events.map(({ token = "" }) => token).join("")).toBe(whole.response);
    const { receipt, done } = events.at(-1) ?? {};
    expect(done).toBe(true);
    expect(receipt?.attempts[0]).toMatchObject({
      servedModel: model,
      usage: { ...(await metered(2)), provenance: "measured", serviceTier: "standard" },
    });
  });

  testChats(run, (content, more) => ask(content, { model: provider, ...more }));

  test("gives as many answers as it is asked for", async () => {
    const several = await run.rest.chat(ask("Hi", { model: provider, parameters: { choices: 2 } }));
    expect(several.choices.map(({ index, finishReason }) => [index, finishReason])).toEqual([
      [0, "stop"],
      [1, "stop"],
    ]);
    expect(several.attempts[0]?.usage).toMatchObject(await metered(1));
  });

  test("reads a long prompt from the cache, which is cheaper", async () => {
    const request = ask(`${provider} handbook. `.repeat(400), { model: provider });
    await run.rest.chat(request);
    const { attempts } = await run.rest.chat(request);
    const used = await metered(2);
    expect(used.cachedInputTokens).toBeGreaterThan(1024);
    expect(attempts[0]?.usage).toMatchObject(used);
  });
});

test("Claude answers on Vertex AI in its own format", async () => {
  const modelVersion = "claude-haiku-4-5@20251001";
  const { response, attempts } = await run.rest.chat(ask("Hi", { model: "vertex_ai", modelVersion }));
  expect(response).toMatch(/^This is the answer/);
  expect(attempts[0]?.usage).toMatchObject({ ...(await metered(1)), provenance: "measured" });
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
    const first = await converseWithTools(run, question);
    expect(new Set(first.toolCalls.map(({ id }) => id)).size).toBe(2);
    expect(first.attempts[0]?.usage).toMatchObject(await metered(1));
  });

  test("streams thoughts, then each call whole with its signature", async () => {
    const parameters = { reasoningEffort: "low" };
    const modelVersion = "gemini-3.5-flash";
    const events = await streamed(ask("Use get_weather and get_time", { modelVersion, parameters, tools }));
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
    const first = await run.rest.chat(question);
    const messages = [...(question.messages ?? []), messageOf(first), answered(first)];
    const second = await run.rest.chat({ ...question, messages, model: "gemini/gemini-3.5-flash" });
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
      expect(await kindOf(() => run.rest.chat(failing(directive, { model })))).toBe(kind);
      expect(await kindOf(() => streamed(failing(directive, { model })))).toBe(kind);
    }
  });

  test("in the middle of a stream keeps the prompt's figures, and estimates the answer from below", async () => {
    for (const model of ["gemini", "vertex_ai"])
      await checkBroken(run, (content, more) => ask(content, { model, ...more }), true);
  });

  test("without figures is estimated", async () => {
    const { attempts } = await run.rest.chat(failing("no_usage=1"));
    expect(attempts[0]?.usage?.provenance).toBe("estimated");
  });
});

test("both are there, by the calls that cost nothing", async () => {
  const status = await (await fetch(`${run.both.url}/v1/gateway/status`)).json();
  expect(status).toMatchObject({
    providers: expect.arrayContaining([
      expect.objectContaining({ name: "gemini", kind: "gemini", ...ANSWERED }),
      expect.objectContaining({ name: "vertex_ai", kind: "vertex_ai", ...ANSWERED }),
    ]),
  });
});
