import { describe, expect, test } from "vitest";
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { decodeFinishReason } from "../../src/providers/claude/finish.ts";
import { ClaudeStream } from "../../src/providers/claude/stream.ts";

const FIRST = {
  input_tokens: 10,
  cache_read_input_tokens: 4,
  cache_creation_input_tokens: 3,
  output_tokens: 1,
};

function begin(usage: object | null = FIRST): object {
  return { type: "message_start", message: { model: "claude-x", content: [], usage } };
}

function end(stop_reason = "end_turn", usage: object | null = { output_tokens: 7 }): object[] {
  return [{ type: "message_delta", delta: { stop_reason }, usage }, { type: "message_stop" }];
}

function block(index: number, content_block: object, ...deltas: object[]): object[] {
  return [
    { type: "content_block_start", index, content_block },
    ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
    { type: "content_block_stop", index },
  ];
}

/** What a stream brings, without the frame around each event. */
function said(stream: ClaudeStream, events: readonly object[]): Omit<StreamResponse, "$typeName">[] {
  return events
    .flatMap((event) => stream.push(JSON.stringify(event)))
    .map(({ $typeName: _, ...fields }) => fields);
}

function read(...events: object[]) {
  const stream = new ClaudeStream();
  return { stream, events: said(stream, events) };
}

const text = (value: string) => ({ type: "text_delta", text: value });
const json = (partial_json: string) => ({ type: "input_json_delta", partial_json });

describe("usage", () => {
  test("at the end replaces what it names of that at the beginning, and keeps the rest", () => {
    const { stream } = read(
      begin({ ...FIRST, service_tier: "priority", cache_creation: { ephemeral_1h_input_tokens: 2 } }),
      ...end("end_turn", {
        input_tokens: 400,
        cache_read_input_tokens: null,
        output_tokens: 7,
        output_tokens_details: { thinking_tokens: 5 },
      }),
    );
    expect(stream.usage).toMatchObject({
      inputTokens: 407,
      cachedInputTokens: 4,
      cacheWriteTokens: 3,
      cacheWrite1hTokens: 2,
      outputTokens: 7,
      reasoningTokens: 5,
      totalTokens: 414,
      serviceTier: "priority",
      provenance: "measured",
    });
  });

  test("is an estimate until the end has come", () => {
    const { stream } = read(begin(), ...block(0, { type: "text", text: "" }, text("Hi")));
    expect(stream.usage).toMatchObject({ inputTokens: 17, outputTokens: 1, provenance: "estimated" });
    for (const usage of [null, {}, { input_tokens: 10 }]) said(stream, end("end_turn", usage).slice(0, 1));
    expect(stream.usage).toMatchObject({ provenance: "estimated" });
    said(stream, end("end_turn", { output_tokens: 2 }));
    expect(stream.usage).toMatchObject({ outputTokens: 2, provenance: "measured" });
  });

  test("is absent when there is none, and kept when something else is wrong", () => {
    expect(read(begin(null), ...end("end_turn", null)).stream.usage).toBeUndefined();
    const stream = new ClaudeStream();
    stream.push(JSON.stringify(begin()));
    const delta = { type: "message_delta", delta: { stop_reason: 5 }, usage: { output_tokens: 9 } };
    expect(() => stream.push(JSON.stringify(delta))).toThrow(
      expect.objectContaining({ kind: "malformed_reply" }),
    );
    expect(stream.usage?.outputTokens).toBe(9);
  });
});

describe("blocks", () => {
  test("of the caller's tools are counted by themselves, and begin with id and name", () => {
    const { events } = read(
      begin(),
      ...block(0, { type: "text", text: "" }, text("Look.")),
      ...block(
        1,
        { type: "server_tool_use", id: "s", name: "web_search", input: {} },
        json(""),
        json('{"q":1}'),
      ),
      ...block(2, { type: "tool_use", id: "a", name: "f", input: {} }, json(""), json('{"x'), json('":1}')),
      ...block(3, { type: "tool_use", id: "b", name: "g", input: {} }, json("")),
      ...end("tool_use"),
    );
    expect(events).toMatchObject([
      { token: "Look." },
      { providerPart: { provider: "claude", type: "server_tool_use" } },
      { toolCall: { index: 0, id: "a", name: "f" } },
      { toolCall: { index: 0, arguments: '{"x' } },
      { toolCall: { index: 0, arguments: '":1}' } },
      { toolCall: { index: 1, id: "b", name: "g" } },
      { toolCall: { index: 1, arguments: "{}" } },
      { done: true, finishReason: "tool_calls" },
    ]);
    expect(JSON.parse(events[1]?.providerPart?.json ?? "")).toEqual({
      type: "server_tool_use",
      id: "s",
      name: "web_search",
      input: { q: 1 },
    });
  });

  test("may be whole at once", () => {
    const { events } = read(
      begin(),
      ...block(0, { type: "thinking", thinking: "Hm.", signature: "s" }),
      ...block(1, { type: "text", text: "Yes." }),
      ...block(2, { type: "tool_use", id: "a", name: "f", input: { x: 1 } }),
      ...end(),
    );
    expect(events).toMatchObject([
      { reasoning: { text: "Hm.", signature: "" } },
      { reasoning: { text: "", signature: "s" } },
      { token: "Yes." },
      { toolCall: { id: "a" } },
      { toolCall: { arguments: '{"x":1}' } },
      { done: true },
    ]);
  });

  test("of a kind that nobody knows yet grow by their texts", () => {
    const { events } = read(
      begin(),
      ...block(
        0,
        { type: "compaction", content: "" },
        { type: "compaction_delta", content: "So " },
        { type: "compaction_delta", content: "far.", n: 1 },
      ),
      ...end(),
    );
    expect(events[0]?.providerPart).toMatchObject({
      type: "compaction",
      json: '{"type":"compaction","content":"So far.","n":1}',
    });
  });

  test("that were cut off are no calls that could be made", () => {
    const { events } = read(
      begin(),
      ...block(0, { type: "server_tool_use", id: "s", name: "web_search", input: {} }, json('{"q')),
      ...block(1, { type: "tool_use", id: "a", name: "f", input: {} }, json("")).slice(0, -1),
      ...end("max_tokens"),
    );
    expect(events).toMatchObject([
      { toolCall: { id: "a", name: "f" } },
      { done: true, finishReason: "length" },
    ]);
  });

  test("sent twice are one", () => {
    const twice = [
      begin(),
      ...block(0, { type: "thinking", thinking: "" }, { type: "signature_delta", signature: "s" }),
      ...block(1, { type: "tool_use", id: "a", name: "f", input: {} }),
    ].flatMap((event) => [event, event]);
    const { events } = read(...twice, ...end("tool_use"));
    expect(events.filter(({ toolCall }) => toolCall?.id)).toHaveLength(1);
    expect(events.filter(({ reasoning }) => reasoning)).toHaveLength(1);
  });

  test("without an end still have their seal and their sources", () => {
    const cited_text = "Sun.";
    const citation = { type: "web_search_result_location", cited_text, url: "https://a", title: null };
    const { events } = read(
      begin(),
      ...block(0, { type: "thinking", thinking: "" }, { type: "signature_delta", signature: "s" }).slice(
        0,
        -1,
      ),
      ...block(1, { type: "text", text: "" }, text("One. ")),
      ...block(
        2,
        { type: "text", text: "", citations: [] },
        { type: "citations_delta", citation },
        text("Two."),
      ).slice(0, -1),
      ...end(),
    );
    expect(events).toMatchObject([
      { token: "One. " },
      { token: "Two." },
      { reasoning: { signature: "s" } },
      {
        citation: {
          title: "",
          url: "https://a",
          quote: cited_text,
          startIndex: 5,
          endIndex: 9,
          providerJson: JSON.stringify(citation),
        },
      },
      { done: true },
    ]);
  });
});

describe("the end", () => {
  test.each([
    ["end_turn", "stop"],
    ["stop_sequence", "stop"],
    ["max_tokens", "length"],
    ["model_context_window_exceeded", "length"],
    ["tool_use", "tool_calls"],
    ["pause_turn", "pause"],
    ["refusal", "content_filter"],
    ["something_new", "something_new"],
  ])("%s is %s", (reason, finishReason) => {
    expect(decodeFinishReason(reason)).toBe(finishReason);
    expect(read(begin(), ...end(reason)).events).toEqual([{ done: true, finishReason }]);
  });

  test("without message_stop is a cut, even when the model had finished", () => {
    const { stream } = read(begin(), ...end().slice(0, 1));
    expect(() => stream.end()).toThrow(expect.objectContaining({ kind: "cut" }));
    expect(stream.usage).toMatchObject({ outputTokens: 7, provenance: "measured" });
  });

  test("is the last that is read", () => {
    const { stream } = read(begin(), ...end());
    expect(stream.push("nonsense")).toEqual([]);
    expect(stream.end()).toEqual([]);
    expect(stream.servedModel).toBe("claude-x");
  });
});

describe("what says nothing", () => {
  test("is passed over", () => {
    const { events } = read(
      { type: "ping" },
      { type: "system.message", text: "x" },
      begin(),
      ...block(0, { type: "text", text: "" }, text(""), { type: "thinking_delta", thinking: "" }),
      ...end(),
    );
    expect(events).toEqual([{ done: true, finishReason: "stop" }]);
  });
});

describe("errors inside a stream, built from the documentation", () => {
  test.each([
    [{ type: "overloaded_error", message: "Overloaded" }, "provider_overloaded"],
    [{ type: "api_error", message: "Internal server error" }, "provider_error"],
    [{ type: "rate_limit_error", message: "Slow down" }, "provider_rate_limited"],
    [{ type: "timeout_error", message: "Timed out" }, "provider_timeout"],
    [{ type: "invalid_request_error", message: "prompt is too long: 2 > 1" }, "context_too_long"],
    [
      { type: "rate_limit_error", message: "x", details: { error_code: "enforced_spend_limit_reached" } },
      "quota_exhausted",
    ],
    [{ type: "error_of_tomorrow", message: "x" }, "provider_error"],
  ])("%j", (error, kind) => {
    const { stream } = read(begin());
    const event = { type: "error", error, request_id: "req_1" };
    expect(() => stream.push(JSON.stringify(event))).toThrow(
      expect.objectContaining({
        kind,
        maybePaid: true,
        operator: expect.stringMatching(`HTTP 200, type ${error.type}.*request id req_1: ${error.message}`),
      }),
    );
    expect(stream.usage?.inputTokens).toBe(17);
  });
});

test.each([
  ["no JSON", "{"],
  ["no object", "[]"],
  ["a piece of no block", { type: "content_block_delta", index: 0, delta: text("x") }],
  ["a block of no shape", { type: "content_block_start", index: 0, content_block: null }],
  [
    "a piece of no shape",
    [...block(0, { type: "text", text: "" }).slice(0, 1), { type: "content_block_delta", index: 0 }],
  ],
  ["a block at no place", { type: "content_block_start", index: -1, content_block: { type: "text" } }],
  ["a text that is none", block(0, { type: "text", text: 5 })],
  ["a citation that is none", block(0, { type: "text", text: "x", citations: ["x"] })],
  ["an end without a reason", { type: "message_stop" }],
])("malformed: %s", (_, given) => {
  const events = typeof given === "string" ? [given] : [given].flat().map((one) => JSON.stringify(one));
  const stream = new ClaudeStream();
  expect(() => events.map((data) => stream.push(data))).toThrow(
    expect.objectContaining({ kind: "malformed_reply" }),
  );
});
