/** Claude through the whole gateway, in front of the emulator, which refuses what Anthropic refuses. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import type { ChatResponse, StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { MessageSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { CALLERS, type ChatInit, type Conversation } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

let both: GatewayUnderTest;
let claude: Conversation;
beforeAll(async () => {
  both = await startBoth();
  const rest = CALLERS.find(({ protocol }) => protocol === "rest");
  if (!rest) throw new Error("there is no REST");
  claude = rest.at(both.url);
});
afterAll(() => both[Symbol.asyncDispose]());
beforeEach(() => both.emulator.meter.reset());

type MessageInit = MessageInitShape<typeof MessageSchema>;

const tool = (name: string) => ({
  name,
  parametersJson: '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}',
});

function ask(content: string, more: ChatInit = {}): ChatInit {
  return { messages: [{ role: "user", content }], model: "claude", ...more };
}

async function streamed(request: ChatInit): Promise<StreamResponse[]> {
  const events: StreamResponse[] = [];
  for await (const event of claude.stream(request)) events.push(event);
  return events;
}

/** What the last of so many requests used, by the emulator's meter. */
async function metered(count: number): Promise<Partial<Usage>> {
  await both.emulator.meter.ended(count);
  const record = both.emulator.meter.requests.at(-1);
  return {
    inputTokens: record?.inputTokens ?? -1,
    outputTokens: record?.outputTokens ?? -1,
    cachedInputTokens: record?.cachedInputTokens ?? -1,
    cacheWriteTokens: record?.cacheWriteTokens ?? -1,
    reasoningTokens: record?.reasoningTokens ?? -1,
  };
}

/** Of a call that was refused, or of a stream that told its failure as its last event. */
async function kindOf(call: () => Promise<ChatResponse | StreamResponse[]>): Promise<string | undefined> {
  try {
    const said = await call();
    return Array.isArray(said) ? said.at(-1)?.error?.kind : undefined;
  } catch (error) {
    return ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason;
  }
}

function messageOf({ message }: ChatResponse): MessageInit {
  if (!message) throw new Error("there is no message");
  return message;
}

function answered({ toolCalls }: ChatResponse): MessageInit {
  return {
    role: "tool",
    parts: toolCalls.map(({ id }) => ({
      part: { case: "toolResult", value: { toolCallId: id, content: "sunny" } },
    })),
  };
}

describe("a chat", () => {
  test("and its stream say the same, and use what was metered", async () => {
    const whole = await claude.chat(ask("What is new?"));
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

  test("is JSON of a schema", async () => {
    const schemaJson = '{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"]}';
    const { response } = await claude.chat(
      ask("Hi", { responseFormat: { type: "json_schema", schemaJson } }),
    );
    expect(JSON.parse(response)).toEqual({ age: expect.any(Number) });
  });

  test("ends where it is told", async () => {
    const parameters = { maxTokens: 2, stop: ["answer"] };
    expect(await claude.chat(ask("Hi", { parameters }))).toMatchObject({
      finishReason: "length",
      response: "This is",
    });
  });

  test("that is declined is nobody's failure", async () => {
    const reply = await claude.chat(ask("ANTHROPIC_MAGIC_STRING_TRIGGER_REFUSAL_1"));
    expect(reply).toMatchObject({ finishReason: "content_filter", response: "" });
  });

  test("reads and writes the prompt cache where it is marked", async () => {
    const system = { role: "system", content: "Handbook. ".repeat(600), cache: { ttl: "1h" } };
    const request = { ...ask(""), messages: [system, { role: "user", content: "Hi" }] };
    const written = await claude.chat(request);
    const first = await metered(1);
    expect(first.cacheWriteTokens).toBeGreaterThan(1024);
    expect(written.attempts[0]?.usage).toMatchObject({
      ...first,
      cacheWrite1hTokens: first.cacheWriteTokens,
    });
    const read = await claude.chat(request);
    expect(read.attempts[0]?.usage).toMatchObject(await metered(2));
    expect(read.cost?.cachedInputTokens).toBe(first.cacheWriteTokens);
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
    const first = await claude.chat(question);
    expect(first.finishReason).toBe("tool_calls");
    expect(first.toolCalls.map(({ name }) => name)).toEqual(["get_weather", "get_time"]);
    expect(first.attempts[0]?.usage).toMatchObject(await metered(1));
    expect(first.attempts[0]?.usage?.reasoningTokens).toBeGreaterThan(0);
    // The emulator checks the seals, as Anthropic does.
    const messages = [...(question.messages ?? []), messageOf(first), answered(first)];
    const second = await claude.chat({ ...question, messages });
    expect(second.finishReason).toBe("stop");
    const third = [...messages, messageOf(second), { role: "user", content: "And now?" }];
    expect((await claude.chat({ ...question, messages: third })).finishReason).toBe("stop");
    const changed = structuredClone(messageOf(first));
    for (const { part } of changed.parts ?? [])
      if (part?.case === "reasoning") part.value.text = "Something else.";
    await expect(
      claude.chat({ ...question, messages: [...(question.messages ?? []), changed, answered(first)] }),
    ).rejects.toThrow("Invalid `signature` in `thinking` block");
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
    const { message } = await claude.chat(question);
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
    expect(await kindOf(() => claude.chat(failing(directive)))).toBe(kind);
    expect(await kindOf(() => streamed(failing(directive)))).toBe(kind);
  });

  test("in the middle of a stream keeps the prompt's figures, and estimates the answer from below", async () => {
    for (const directive of ["cut=20 tokens=60", "error_event=20 tokens=60", "no_done=1"]) {
      both.emulator.meter.reset();
      const events = await streamed(failing(directive));
      const usage = events.at(-1)?.error?.receipt?.attempts[0]?.usage;
      const { inputTokens = -1, outputTokens = -1 } = await metered(1);
      expect(usage).toMatchObject({ inputTokens, provenance: "estimated" });
      expect(usage?.outputTokens).toBeGreaterThanOrEqual(outputTokens);
    }
  });

  test("without figures is estimated", async () => {
    const { attempts } = await claude.chat(failing("no_usage=1"));
    expect(attempts[0]?.usage?.provenance).toBe("estimated");
  });

  test("ends at the provider when the caller leaves", async () => {
    const leaving = new AbortController();
    const events = claude.stream(failing("interval_ms=50 tokens=500"), { signal: leaving.signal });
    await expect(
      (async () => {
        for await (const _ of events) leaving.abort();
      })(),
    ).rejects.toThrow();
    await both.emulator.meter.ended(1);
    expect(both.emulator.meter.requests[0]).toMatchObject({ outcome: "aborted", stream: true });
  });
});

test("the provider is there, by its list of models", async () => {
  const status = await (await fetch(`${both.url}/v1/gateway/status`)).json();
  expect(status).toMatchObject({
    providers: expect.arrayContaining([
      expect.objectContaining({ name: "claude", kind: "claude", status: "available" }),
    ]),
  });
});
