import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type MessageSchema, PartSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { estimateTextTokens } from "../../src/core/tokens.ts";
import { estimateInputTokens } from "../../src/cost/tokens.ts";

function estimate(request: MessageInitShape<typeof ChatRequestSchema>): number {
  return estimateInputTokens(create(ChatRequestSchema, request));
}

/** What a message adds to a request beside what it would count empty. */
function added(message: MessageInitShape<typeof MessageSchema>): number {
  return estimate({ messages: [message] }) - estimate({ messages: [{}] });
}

describe("estimateTextTokens", () => {
  it.each([
    ["", 0],
    ["a", 1],
    ["abcd", 1],
    ["abcde", 2],
    // Four bytes each in UTF-8, whatever a string's length says.
    ["😀😀", 2],
    ["日本語", 3],
  ])("%j is %i", (text, tokens) => {
    expect(estimateTextTokens(text)).toBe(tokens);
  });
});

describe("estimateInputTokens", () => {
  const text = "x".repeat(400);
  const parts = (part: MessageInitShape<typeof PartSchema>["part"]) => ({
    parts: [create(PartSchema, part && { part })],
  });

  it.each<[string, MessageInitShape<typeof MessageSchema>, number]>([
    ["plain text", { content: text }, 100],
    ["text in a part", parts({ case: "text", value: text }), 100],
    ["a refusal", parts({ case: "refusal", value: text }), 100],
    ["thoughts", parts({ case: "reasoning", value: { text } }), 100],
    ["a tool call", parts({ case: "toolCall", value: { name: "abcd", arguments: text } }), 101],
    ["a free-text tool call", parts({ case: "toolCall", value: { input: text } }), 100],
    ["a tool result", parts({ case: "toolResult", value: { content: text } }), 100],
    ["a file", parts({ case: "file", value: { source: { case: "data", value: new Uint8Array(400) } } }), 100],
  ])("counts %s", (_, message, tokens) => {
    expect(added(message)).toBe(tokens);
  });

  it("counts a picture like several hundred words, however it comes", () => {
    const url = parts({
      case: "image",
      value: { source: { case: "url", value: "https://example.com/a.png" } },
    });
    const data = parts({ case: "image", value: { source: { case: "data", value: new Uint8Array(9) } } });
    expect(added(url)).toBe(765);
    expect(added(data)).toBe(765);
  });

  it("counts each message beside its text", () => {
    const one = estimate({ messages: [{}] });
    expect(one).toBeGreaterThan(0);
    expect(estimate({ messages: [{}, {}, {}] })).toBeGreaterThanOrEqual(one + 2);
  });

  it("counts tools and the schema of the answer, as JSON or as text", () => {
    const none = estimate({});
    const schema = { type: "object", properties: { city: { type: "string" } } };
    const size = estimateTextTokens(JSON.stringify(schema));
    expect(estimate({ tools: [{ name: "weather", parameters: schema }] })).toBeGreaterThanOrEqual(
      none + size,
    );
    expect(
      estimate({ tools: [{ name: "weather", parametersJson: JSON.stringify(schema) }] }),
    ).toBeGreaterThanOrEqual(none + size);
    expect(estimate({ responseFormat: { type: "json_schema", schema } })).toBe(none + size);
    expect(estimate({ responseFormat: { schemaJson: JSON.stringify(schema) } })).toBe(none + size);
  });
});
