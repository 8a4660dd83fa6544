/** Bedrock through the whole gateway, in front of the emulator, which refuses what Bedrock refuses. */
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

const NOVA = "us.amazon.nova-2-lite-v1:0";
const CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0";

function ask(content: string, more: ChatInit = {}): ChatInit {
  return { messages: [{ role: "user", content }], model: "bedrock", ...more };
}

describe.each([
  ["by Converse", "amazon.nova-lite-v1:0", {}],
  ["by a profile's ARN", "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-lite-v1:0", {}],
  ["in Claude's own format", CLAUDE, { parameters: { parallelToolCalls: false }, tools: [tool("get_time")] }],
  ["in Llama's own format", "meta.llama2-13b-chat-v1", {}],
  ["in Mistral's own format", "mistral.mistral-7b-instruct-v0:2", {}],
  ["in Titan's own format", "amazon.titan-tg1-large", {}],
  ["in the second Claude's own format", "anthropic.claude-v2:1", {}],
])("a chat %s", (_, modelVersion, more) => {
  test("and its stream say the same, and use what was metered", async () => {
    const request = ask("What is new?", { modelVersion, ...more });
    const whole = await run.rest.chat(request);
    expect(whole).toMatchObject({ provider: "bedrock", model: modelVersion, finishReason: "stop" });
    expect(whole.response).toMatch(/^This is the answer to "What is new\?"/);
    expect(whole.attempts[0]?.usage).toMatchObject({ ...(await metered(1)), provenance: "measured" });
    const events = await streamed(request);
    expect(events.map(({ token = "" }) => token).join("")).toBe(whole.response);
    const { receipt, done } = events.at(-1) ?? {};
    expect(done).toBe(true);
    expect(receipt?.attempts[0]?.usage).toMatchObject({ ...(await metered(2)), provenance: "measured" });
    expect(run.both.emulator.meter.requests.map(({ model }) => model)).toEqual([modelVersion, modelVersion]);
  });
});

describe("a chat", () => {
  test("asks the default model where none is named", async () => {
    expect(await run.rest.chat(ask("Hi"))).toMatchObject({ model: "amazon.nova-lite-v1:0" });
  });

  testChats(run, ask);

  test("reads and writes the prompt cache where it is marked", async () => {
    await checkMarks(run, ask);
  });

  test("tells the tier that served", async () => {
    const { attempts } = await run.rest.chat(ask("Hi", { parameters: { serviceTier: "flex" } }));
    expect(attempts[0]?.usage?.serviceTier).toBe("flex");
  });
});

describe("a conversation with tools and thoughts", () => {
  const tools = [tool("get_weather"), tool("get_time")];

  test.each([
    ["by effort", NOVA, { reasoningEffort: "low" }],
    ["by budget", CLAUDE, { reasoningBudgetTokens: 1024, maxTokens: 4000 }],
  ])("goes on with the thoughts as they came, %s", async (_, modelVersion, parameters) => {
    const question = ask("Use get_weather and get_time", { modelVersion, parameters, tools });
    const first = await converseWithTools(run, question);
    await checkSeals(run, question, first);
    const { reasoningTokens, ...used } = await metered(1);
    expect(reasoningTokens).toBeGreaterThan(0);
    // Bedrock counts thoughts with the rest, and not apart.
    expect(first.attempts[0]?.usage).toMatchObject({ ...used, reasoningTokens: 0 });
  });

  test("streams calls in pieces behind the thoughts", async () => {
    const parameters = { reasoningEffort: "low" };
    const events = await streamed(ask("Use get_weather and get_time", { parameters, tools }));
    const pieces = events.flatMap(({ toolCall }) => (toolCall ? [toolCall] : []));
    expect(new Set(pieces.map(({ index }) => index))).toEqual(new Set([0, 1]));
    const args = pieces.filter(({ index }) => index === 1).map(({ arguments: json = "" }) => json);
    expect(JSON.parse(args.join(""))).toEqual({ city: "sample city" });
    const thoughts = events.flatMap(({ reasoning }) => (reasoning ? [reasoning] : []));
    expect(thoughts.map(({ text }) => text).join("")).toMatch(/^It is asked for an answer/);
    expect(thoughts.at(-1)?.signature).toMatch(/==$/);
  });

  test("calls one tool at a time when Claude is told so", async () => {
    const parameters = { parallelToolCalls: false };
    const reply = await run.rest.chat(
      ask("Use get_weather and get_time", { modelVersion: CLAUDE, parameters, tools }),
    );
    expect(reply.toolCalls.map(({ name }) => name)).toEqual(["get_weather"]);
  });
});

describe("a call that fails", () => {
  const failing = (directive: string, more: ChatInit = {}) => ask(`[[emulate: ${directive}]] Hi`, more);

  test.each([
    ["status=429 retry_after=2", "provider_rate_limited"],
    ["code=ServiceQuotaExceeded", "quota_exhausted"],
    ["code=ExpiredToken", "provider_auth"],
    ["code=AccessDenied", "provider_permission"],
    ["code=ResourceNotFound", "model_not_found"],
    ["code=ModelTimeout", "provider_timeout"],
    ["code=ModelNotReady", "provider_overloaded"],
    ["status=424", "provider_error"],
    ["status=503", "provider_overloaded"],
    ["status=500", "provider_error"],
    ["status=400", "provider_bad_request"],
    ["error_event=0", "provider_error"],
    ["error_event=2 code=ModelStreamError", "provider_error"],
    ["cut=1", "cut"],
    ["malformed=1", "malformed_reply"],
    ["reset=1", "cut"],
  ])("%s is %s, whole and streamed", async (directive, kind) => {
    expect(await kindOf(() => run.rest.chat(failing(directive)))).toBe(kind);
    expect(await kindOf(() => streamed(failing(directive)))).toBe(kind);
  });

  test("in the middle of a stream is estimated, from below by what was said", async () => {
    await checkBroken(run, ask, false);
  });

  test("without figures is estimated", async () => {
    for (const modelVersion of ["amazon.nova-lite-v1:0", "mistral.mistral-7b-instruct-v0:2"]) {
      const { attempts } = await run.rest.chat(failing("no_usage=1", { modelVersion }));
      expect(attempts[0]?.usage?.provenance).toBe("estimated");
    }
  });

  test("for a model that is none says so", async () => {
    const unknown = ask("Hi", { modelVersion: "us.amazon.no-such-v1:0" });
    expect(await kindOf(() => run.rest.chat(unknown))).toBe("model_not_found");
  });
});

test("the provider is there, though its models are not listed", async () => {
  const status = await (await fetch(`${run.both.url}/v1/gateway/status`)).json();
  expect(status).toMatchObject({
    providers: expect.arrayContaining([
      expect.objectContaining({ name: "bedrock", kind: "bedrock", ...ANSWERED }),
    ]),
  });
});
