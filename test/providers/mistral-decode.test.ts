/** What Mistral's chunks become, in streams and in whole replies, and that they go back as they came. */
import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ChatRequestSchema, type StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { event, fold, reasoning, toolCallDelta } from "../../src/core/reply.ts";
import { mistralDialect } from "../../src/providers/mistral/dialect.ts";
import { replyOf } from "../support/call.ts";
import { failureOf } from "../support/failure.ts";
import { done } from "./openai-chunks.ts";

function chunk(delta: object, rest: object = {}): string {
  const { finish_reason = null, ...top } = rest as { finish_reason?: string };
  return JSON.stringify({ id: "1", model: "m", choices: [{ index: 0, delta, finish_reason }], ...top });
}

function events(...datas: string[]): StreamResponse[] {
  const stream = mistralDialect.decodeStream({});
  return [...datas, "[DONE]"].flatMap((data) => stream.push(data));
}

function part(type: string, json: object): StreamResponse {
  const providerPart = {
    $typeName: "llmgateway.v1.ProviderPart" as const,
    provider: "mistral",
    type,
    json: JSON.stringify(json),
  };
  return event({ providerPart });
}

const thinking = (text: string, more: object = {}) => ({
  type: "thinking",
  thinking: [{ type: "text", text }],
  ...more,
});

describe("a stream", () => {
  test("changes between texts and lists of chunks", () => {
    const datas = [
      chunk({ role: "assistant", content: "" }),
      chunk({ content: [thinking("Twelve ")] }),
      chunk({ content: [thinking("times", { closed: true }), { type: "text", text: "1" }] }),
      chunk({ content: "44" }, { finish_reason: "stop" }),
    ];
    expect(events(...datas)).toEqual([
      event({ reasoning: reasoning({ text: "Twelve " }) }),
      event({ reasoning: reasoning({ text: "times" }) }),
      event({ token: "1" }),
      event({ token: "44" }),
      done("stop"),
    ]);
  });

  test("brings call, reason to finish and usage at once", () => {
    const call = {
      id: "aX2gaLIyo",
      type: "function",
      function: { name: "look", arguments: '{"a": 1}' },
      index: 0,
    };
    const usage = { prompt_tokens: 7, completion_tokens: 2, num_cached_tokens: 3, service_tier: "standard" };
    const stream = mistralDialect.decodeStream({});
    expect(stream.push(chunk({ tool_calls: [call] }, { finish_reason: "tool_calls", usage }))).toEqual([
      event({ toolCall: toolCallDelta(0, { id: "aX2gaLIyo", name: "look", arguments: '{"a": 1}' }) }),
    ]);
    expect(stream.push("[DONE]")).toEqual([done("tool_calls")]);
    expect(stream.usage).toMatchObject({ inputTokens: 7, cachedInputTokens: 3, serviceTier: "standard" });
  });

  test("whose model broke off is a failure, and its usage is kept", () => {
    const stream = mistralDialect.decodeStream({});
    const usage = { prompt_tokens: 7, completion_tokens: 2 };
    const failure = failureOf(() => stream.push(chunk({ content: "" }, { finish_reason: "error", usage })));
    expect(failure).toMatchObject({ kind: "provider_error", maybePaid: true });
    expect(failure.operator).toContain("finish_reason error");
    expect(stream.usage).toMatchObject({ inputTokens: 7, outputTokens: 2 });
  });

  test.each([
    [
      { object: "error", message: "Oops", type: "internal_server_error", raw_status_code: 503 },
      "provider_overloaded",
    ],
    [
      { object: "error", message: "Rate limit exceeded", type: "rate_limited", code: "1300" },
      "provider_rate_limited",
    ],
  ])("may hold an error: %j", (error, kind) => {
    expect(failureOf(() => events(chunk({ content: "a" }), JSON.stringify(error))).kind).toBe(kind);
  });

  test.each([
    [[null]],
    [[["a"]]],
    [["a"]],
    [[{ type: "text", text: 1 }]],
    [{}],
    [[{ type: "thinking", thinking: [1] }]],
  ])("with content %j cannot be read", (content) => {
    expect(failureOf(() => events(chunk({ content }))).kind).toBe("malformed_reply");
  });
});

describe("a whole reply", () => {
  const reply = (message: object, finish_reason = "stop", usage: object = {}) =>
    mistralDialect.decodeReply(
      JSON.stringify({ id: "1", model: "m", usage, choices: [{ index: 0, message, finish_reason }] }),
      {},
    );

  test("with its model's context full ends by length", () => {
    expect(reply({ content: "a" }, "model_length").events.at(-1)).toEqual(done("length"));
  });

  test("whose model broke off is a failure with usage", () => {
    const decoded = reply({ content: "" }, "error", { prompt_tokens: 7, completion_tokens: 2 });
    expect(decoded.failure?.kind).toBe("provider_error");
    expect(decoded.usage).toMatchObject({ inputTokens: 7, outputTokens: 2 });
  });

  test.each([
    [{ num_cached_tokens: 4 }, 4],
    [{ prompt_tokens_details: { cached_tokens: 4 } }, 4],
    [{ prompt_token_details: { cached_tokens: 4 } }, 4],
    [{ prompt_tokens_details: null, prompt_token_details: null, num_cached_tokens: null }, 0],
  ])("spells cached tokens in three ways: %j", (spelling, cached) => {
    const { usage } = reply({ content: "a" }, "stop", {
      prompt_tokens: 9,
      completion_tokens: 1,
      ...spelling,
    });
    expect(usage).toMatchObject({ inputTokens: 9, cachedInputTokens: cached, totalTokens: 10 });
  });

  const SOURCE = { type: "tool_reference", tool: "web_search", title: "A page" };
  const CHUNKS = [
    thinking("Let me see.", { signature: "seal", closed: true }),
    { type: "text", text: "The sky is blue" },
    { type: "reference", reference_ids: [1, "b"] },
    { type: "text", text: ", mostly." },
    { type: "document_url", document_url: "https://example.com/a.pdf" },
  ];

  test("has thoughts, citations behind their text, and pieces that only Mistral understands", () => {
    const content = [...CHUNKS, { type: "thinking", thinking: [SOURCE] }];
    expect(reply({ content }).events).toEqual([
      event({ reasoning: reasoning({ text: "Let me see." }) }),
      event({ reasoning: reasoning({ signature: "seal" }) }),
      event({ token: "The sky is blue" }),
      event({
        citation: {
          $typeName: "llmgateway.v1.Citation",
          title: "",
          url: "",
          quote: "",
          providerJson: '{"type":"reference","reference_ids":[1,"b"]}',
        },
      }),
      event({ token: ", mostly." }),
      part("document_url", { type: "document_url", document_url: "https://example.com/a.pdf" }),
      part("thinking", { type: "thinking", thinking: [SOURCE] }),
      done("stop"),
    ]);
  });

  test.each([
    ["all kinds", [...CHUNKS, { type: "thinking", thinking: [SOURCE] }]],
    ["thoughts and an answer", [thinking("Hm.", { closed: true }), { type: "text", text: "144" }]],
  ])("goes back in the same chunks: %s", async (_, content) => {
    const tool_calls = [
      { id: "aX2gaLIyo", type: "function", function: { name: "look", arguments: '{ "a":1}' }, index: 0 },
    ];
    const { message } = await fold(replyOf([reply({ content, tool_calls }).events]));
    const messages = [{ role: "user", content: "Hi" }, message ?? {}, { role: "user", content: "And?" }];
    const { body } = mistralDialect.encode(create(ChatRequestSchema, { messages }), {
      model: "m",
      stream: false,
      maxTokens: undefined,
    });
    expect(JSON.parse(body).messages[1]).toEqual({ role: "assistant", content, tool_calls, prefix: false });
  });
});
