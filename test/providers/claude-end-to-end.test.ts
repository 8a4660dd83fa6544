/** Claude through the whole gateway, in front of the emulator, which refuses what Anthropic refuses. */
import { describe, expect, test } from "vitest";
import type { ChatInit } from "../support/callers.ts";
import {
  checkBroken,
  checkMarks,
  checkSeals,
  converseWithTools,
  endToEnd,
  kindOf,
  testChats,
  tool,
} from "../support/end-to-end.ts";
import { ANSWERED } from "../support/standing.ts";

const run = endToEnd();
const { streamed, metered } = run;

function ask(content: string, more: ChatInit = {}): ChatInit {
  return { messages: [{ role: "user", content }], model: "claude", ...more };
}

describe("a chat", () => {
  test("and its stream say the same, and use what was metered", async () => {
    const whole = await run.rest.chat(ask("What is new?"));
    expect(whole).toMatchObject({ provider: "claude", model: "claude-sonnet-5", finishReason: "stop" });
    expect(whole.attempts[0]?.usage).toMatchObject({ ...(await metered(1)), provenance: "measured" });
    const events = await streamed(ask("What is new?"));
    expect(events.map(({ token = "" }) => token).join("")).toBe(whole.response);
    const { receipt, done } = events.at(-1) ?? {};
    expect(done).toBe(true);
    expect(receipt?.attempts[0]).toMatchObject({
      servedModel: "claude-sonnet-5",
      usage: { ...(await metered(2)), provenance: "measured", serviceTier: "standard" },
    });
  });

  test("that is declined is nobody's failure", async () => {
    const reply = await run.rest.chat(ask("ANTHROPIC_MAGIC_STRING_TRIGGER_REFUSAL_1"));
    expect(reply).toMatchObject({ finishReason: "content_filter", response: "" });
  });

  testChats(run, ask);

  test("reads and writes the prompt cache where it is marked", async () => {
    await checkMarks(run, ask);
  });
});

describe("a conversation with tools and thoughts", () => {
  const parameters = { reasoningBudgetTokens: 1024, maxTokens: 4000 };
  const tools = [tool("get_weather"), tool("get_time")];

  test.each([
    ["by effort", "claude-sonnet-5", { reasoningEffort: "low" }],
    ["by budget", "claude-haiku-4-5", parameters],
  ])("goes on with the thoughts as they came, %s", async (_, modelVersion, parameters) => {
    const question = ask("Use get_weather and get_time", { modelVersion, parameters, tools });
    const first = await converseWithTools(run, question);
    await checkSeals(run, question, first);
    const { usage } = first.attempts[0] ?? {};
    expect(usage).toMatchObject(await metered(1));
    expect(usage?.reasoningTokens).toBeGreaterThan(0);
  });

  test("streams calls in pieces behind the thoughts", async () => {
    const events = await streamed(
      ask("Use get_weather and get_time", { parameters: { reasoningEffort: "low" }, tools }),
    );
    const pieces = events.flatMap(({ toolCall }) => (toolCall ? [toolCall] : []));
    expect(new Set(pieces.map(({ index }) => index))).toEqual(new Set([0, 1]));
    const args = pieces.filter(({ index }) => index === 1).map(({ arguments: json = "" }) => json);
    expect(JSON.parse(args.join(""))).toEqual({ city: "sample city" });
    const thoughts = events.flatMap(({ reasoning }) => (reasoning ? [reasoning] : []));
    expect(thoughts.map(({ text }) => text).join("")).toMatch(/^The question is plain/);
    expect(thoughts.at(-1)?.signature).toMatch(/==$/);
  });

  test("keeps thoughts that only Anthropic can read", async () => {
    const question = ask("ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_1", {
      modelVersion: "claude-haiku-4-5",
      parameters,
    });
    const { message } = await run.rest.chat(question);
    expect(message?.parts[0]?.part).toMatchObject({ case: "reasoning", value: { redacted: /./ } });
  });
});

describe("a call that fails", () => {
  const failing = (directive: string, more: ChatInit = {}) => ask(`[[emulate: ${directive}]] Hi`, more);

  test.each([
    ["status=429 retry_after=2", "provider_rate_limited"],
    ["code=enforced_spend_limit_reached", "quota_exhausted"],
    ["code=prompt_too_long", "context_too_long"],
    ["code=authentication_error", "provider_auth"],
    ["code=permission_error", "provider_permission"],
    ["code=billing_error", "quota_exhausted"],
    ["code=request_too_large", "provider_bad_request"],
    ["code=timeout_error", "provider_timeout"],
    ["status=529", "provider_overloaded"],
    ["status=500", "provider_error"],
    ["error_event=0", "provider_overloaded"],
    ["cut=1", "cut"],
    ["malformed=1", "malformed_reply"],
    ["reset=1", "cut"],
  ])("%s is %s, whole and streamed", async (directive, kind) => {
    expect(await kindOf(() => run.rest.chat(failing(directive)))).toBe(kind);
    expect(await kindOf(() => streamed(failing(directive)))).toBe(kind);
  });

  test("in the middle of a stream keeps the prompt's figures, and estimates the answer from below", async () => {
    await checkBroken(run, ask, true);
  });

  test("without figures is estimated", async () => {
    const { attempts } = await run.rest.chat(failing("no_usage=1"));
    expect(attempts[0]?.usage?.provenance).toBe("estimated");
  });
});

test("the provider is there, by its list of models", async () => {
  const status = await (await fetch(`${run.both.url}/v1/gateway/status`)).json();
  expect(status).toMatchObject({
    providers: expect.arrayContaining([
      expect.objectContaining({ name: "claude", kind: "claude", ...ANSWERED }),
    ]),
  });
});
