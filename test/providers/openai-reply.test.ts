import { describe, expect, test } from "vitest";
import { event, reasoning, toolCallDelta } from "../../src/core/reply.ts";
import { decodeReply } from "../../src/providers/openai/decode.ts";
import { OpenAiStream } from "../../src/providers/openai/stream.ts";
import { failureOf } from "../support/failure.ts";
import { chunk, done, events, usage } from "./openai-chunks.ts";

describe("an error inside a stream", () => {
  test.each([
    [{ error: { message: "Slow down", code: "rate_limit_exceeded" } }, "provider_rate_limited"],
    [
      { error: { message: "Bad gateway", code: 502 }, choices: [{ delta: {}, finish_reason: "error" }] },
      "provider_error",
    ],
    [{ error: { message: "No", type: "invalid_request_error" } }, "provider_bad_request"],
    [{ error: "boom" }, "provider_error"],
    [{ object: "error", message: "maximum context length is 5", code: 400 }, "context_too_long"],
  ])("%j is %s", (body, kind) => {
    expect(failureOf(() => events(JSON.stringify(body))).kind).toBe(kind);
    expect(failureOf(() => decodeReply(JSON.stringify(body))).kind).toBe(kind);
  });
});

describe("a malformed chunk", () => {
  test.each([
    "",
    "{",
    "null",
    "[]",
    '"text"',
    '{"choices": 5}',
    '{"choices": [null]}',
    '{"choices": [{"index": -1}]}',
    '{"choices": [{"index": "a"}]}',
    '{"choices": [{"delta": {"content": 5}}]}',
    '{"choices": [{"delta": {"content": [{"type": "text"}]}}]}',
    '{"choices": [{"delta": {"tool_calls": 5}}]}',
    '{"choices": [{"delta": {"tool_calls": [null]}}]}',
    '{"choices": [{"delta": {"tool_calls": [{"index": 1.5}]}}]}',
    '{"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": {}}}]}}]}',
    '{"choices": [{"delta": {}, "finish_reason": {}}]}',
  ])("%s is malformed_reply, with its text for the operator", (data) => {
    const failure = failureOf(() => events(data));
    expect(failure.kind).toBe("malformed_reply");
    expect(failure.operator).toContain(data);
  });
});

describe("a whole reply", () => {
  test.each(["", "<html>", "[]", "{}", '{"choices": []}', '{"choices": [{}]}', '{"choices": {}}'])(
    "%s is malformed_reply",
    (body) => {
      expect(failureOf(() => decodeReply(body)).kind).toBe("malformed_reply");
    },
  );

  test("gives its parts in the order of a stream", () => {
    const message = {
      reasoning_content: "Hm",
      content: "Hi",
      refusal: "No.",
      tool_calls: [
        { id: "a", function: { name: "look", arguments: "{}" } },
        { id: "", function: { name: "see", arguments: "{}" } },
      ],
    };
    const body = {
      model: "m",
      choices: [{ message, finish_reason: "stop" }],
      usage,
      service_tier: "default",
    };
    const decoded = decodeReply(JSON.stringify(body));
    expect(decoded.events).toEqual([
      event({ reasoning: reasoning({ text: "Hm" }) }),
      event({ token: "Hi" }),
      event({ refusal: "No." }),
      event({ toolCall: toolCallDelta(0, { id: "a", name: "look", arguments: "{}" }) }),
      event({ toolCall: toolCallDelta(1, { id: "", name: "see", arguments: "{}" }) }),
      done("tool_calls"),
    ]);
    expect(decoded.servedModel).toBe("m");
    expect(decoded.usage).toMatchObject({ inputTokens: 5, serviceTier: "default" });
  });

  test("in which DeepSeek broke off is a failure, with what was used until then", () => {
    const ended = chunk({ content: "H" }, { finish_reason: "insufficient_system_resource" });
    const stream = new OpenAiStream();
    const last = JSON.stringify({ ...JSON.parse(ended), usage });
    expect(failureOf(() => stream.push(last))).toMatchObject({ kind: "provider_error" });
    expect(stream.usage).toMatchObject({ outputTokens: 7, provenance: "measured" });
    const whole = { ...JSON.parse(ended.replace("delta", "message")), usage };
    const decoded = decodeReply(JSON.stringify(whole));
    expect(decoded.failure).toMatchObject({
      kind: "provider_error",
      operator: "HTTP 200: finish_reason insufficient_system_resource",
    });
    expect(decoded.usage).toMatchObject({ inputTokens: 5 });
  });

  test("that Together's model ended by itself stopped, or calls tools", () => {
    expect(events(chunk({ content: "H" }, { finish_reason: "eos" })).at(-1)).toEqual(done("stop"));
    const call = { index: 0, id: "a", function: { name: "look", arguments: "{}" } };
    const called = events(chunk({ tool_calls: [call] }, { finish_reason: "eos" }));
    expect(called.at(-1)).toEqual(done("tool_calls"));
  });

  test("without usage has none", () => {
    const body = { choices: [{ message: { content: "Hi" }, finish_reason: "a new reason" }] };
    const decoded = decodeReply(JSON.stringify(body));
    expect(decoded.usage).toBeUndefined();
    expect(decoded.events.at(-1)).toEqual(done("a new reason"));
  });
});
