import { describe, expect, test } from "vitest";
import { decodeReply } from "../../src/providers/claude/decode.ts";

const REPLY = { type: "message", model: "claude-x", content: [], stop_reason: "end_turn" };

function said(reply: object) {
  return decodeReply(JSON.stringify({ ...REPLY, ...reply })).events.map(
    ({ $typeName: _, ...fields }) => fields,
  );
}

describe("a whole reply", () => {
  test("is what its stream would have been", () => {
    const citation = { type: "char_location", cited_text: "x", document_title: "A", start_char_index: 0 };
    expect(
      said({
        content: [
          { type: "thinking", thinking: "Hm.", signature: "s" },
          { type: "redacted_thinking", data: "xyz" },
          { type: "text", text: "Look.", citations: [citation] },
          { type: "web_search_tool_result", tool_use_id: "s", content: [] },
          { type: "tool_use", id: "a", name: "f", input: { x: 1 }, caller: { type: "direct" } },
          { type: "tool_use", id: "b", name: "g", input: {} },
        ],
        stop_reason: "tool_use",
      }),
    ).toMatchObject([
      { reasoning: { text: "Hm." } },
      { reasoning: { signature: "s" } },
      { reasoning: { redacted: "xyz" } },
      { token: "Look." },
      { citation: { title: "A", quote: "x", startIndex: 0, endIndex: 5 } },
      { providerPart: { type: "web_search_tool_result" } },
      { toolCall: { index: 0, id: "a", name: "f" } },
      { toolCall: { index: 0, arguments: '{"x":1}' } },
      { toolCall: { index: 1, id: "b", name: "g" } },
      { toolCall: { index: 1, arguments: "{}" } },
      { done: true, finishReason: "tool_calls" },
    ]);
  });

  test("keeps numbers that no double can hold", () => {
    const input = '{"id":12345678901234567890,"price":0.10000000000000000001,"n":[1e2,7]}';
    const body = `{"type":"message","content":[{"type":"tool_use","id":"a","name":"f","input":${input}}]}`;
    expect(decodeReply(body).events[1]?.toolCall?.arguments).toBe(input);
  });

  test("has its figures, its model, or neither", () => {
    const usage = { input_tokens: 5, output_tokens: 2, server_tool_use: { web_search_requests: 1 } };
    const { usage: measured, servedModel } = decodeReply(JSON.stringify({ ...REPLY, usage }));
    expect(measured).toMatchObject({ inputTokens: 5, outputTokens: 2, provenance: "measured" });
    expect(measured).not.toHaveProperty("cacheWrite1hTokens", expect.anything());
    expect(servedModel).toBe("claude-x");
    expect(decodeReply('{"content":[]}')).toMatchObject({ usage: undefined, servedModel: "" });
  });

  test("counts what it took to sum the conversation up, which its figures leave out", () => {
    const compaction = {
      type: "compaction",
      input_tokens: 180_000,
      output_tokens: 3_500,
      cache_read_input_tokens: 20,
      cache_creation_input_tokens: 10,
      cache_creation: { ephemeral_1h_input_tokens: 4 },
    };
    const message = { type: "message", input_tokens: 23_000, output_tokens: 1_000 };
    const usage = {
      input_tokens: 23_000,
      output_tokens: 1_000,
      cache_read_input_tokens: 5,
      cache_creation_input_tokens: 0,
      iterations: [compaction, message, null],
    };
    expect(decodeReply(JSON.stringify({ ...REPLY, usage })).usage).toMatchObject({
      inputTokens: 203_035,
      outputTokens: 4_500,
      cachedInputTokens: 25,
      cacheWriteTokens: 10,
      cacheWrite1hTokens: 4,
    });
  });

  test.each([
    [
      "is an error",
      { type: "error", error: { type: "overloaded_error", message: "x" } },
      "provider_overloaded",
    ],
    ["has no content", { content: undefined }, "malformed_reply"],
    ["has a block that is none", { content: ["x"] }, "malformed_reply"],
    ["has a model that is none", { model: 5 }, "malformed_reply"],
  ])("fails when it %s", (_, fields, kind) => {
    expect(() => decodeReply(JSON.stringify({ ...REPLY, ...fields }))).toThrow(
      expect.objectContaining({ kind }),
    );
  });
});
