import { describe, expect, it } from "vitest";
import type { StreamResponse, ToolCallDelta } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { ProviderPart } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { Failure } from "../../src/core/failure.ts";
import { receiptOf } from "../../src/core/receipt.ts";
import { type Batch, event, fold, isContent, reasoning, toolCallDelta } from "../../src/core/reply.ts";
import { callOf, replyOf } from "../support/call.ts";

const call = (index: number, fields: Partial<ToolCallDelta>) =>
  event({ toolCall: toolCallDelta(index, fields) });
const done = (finishReason = "stop") => event({ done: true, finishReason });

/** The batches into which a reply is cut make no difference to what it says. */
async function folded(...events: StreamResponse[]) {
  const whole = await fold(replyOf([events]));
  const cut: Batch[] = events.map((one) => [one]);
  expect(await fold(replyOf(cut))).toEqual(whole);
  return whole;
}

describe("fold", () => {
  it("joins the text", async () => {
    const reply = await folded(event({ token: "Hel" }), event({ token: "" }), event({ token: "lo" }), done());
    expect(reply).toMatchObject({
      response: "Hello",
      finishReason: "stop",
      message: { role: "assistant", content: "Hello", parts: [] },
      toolCalls: [],
      choices: [],
    });
  });

  it("puts interleaved tool calls together, each by its index", async () => {
    const reply = await folded(
      call(0, { id: "a", name: "weather", arguments: "" }),
      call(1, { id: "b", name: "grep", input: "nee" }),
      call(0, { arguments: '{"city":' }),
      call(1, { input: "dle" }),
      call(0, { arguments: '"Oslo"}' }),
      done("tool_calls"),
    );
    const first = { id: "a", name: "weather", arguments: '{"city":"Oslo"}', input: "" };
    const second = { id: "b", name: "grep", arguments: "", input: "needle" };
    expect(reply.toolCalls).toMatchObject([first, second]);
    expect(reply.message?.parts.map(({ part }) => part)).toMatchObject([
      { case: "toolCall", value: first },
      { case: "toolCall", value: second },
    ]);
    expect(reply).toMatchObject({ response: "", finishReason: "tool_calls" });
  });

  it("keeps several choices apart, in order, each with its own reason to stop", async () => {
    const reply = await folded(
      event({ index: 2, token: "c" }),
      event({ token: "a" }),
      event({ index: 1, toolCall: toolCallDelta(0, { id: "x", name: "f", arguments: "{}" }) }),
      event({ index: 2, token: "C", finishReason: "length" }),
      event({ index: 1, finishReason: "tool_calls" }),
      event({ index: 0, token: "A" }),
      done(),
    );
    expect(reply.choices.map(({ index, finishReason }) => [index, finishReason])).toEqual([
      [0, "stop"],
      [1, "tool_calls"],
      [2, "length"],
    ]);
    expect(reply.choices.map(({ message }) => message?.content)).toEqual(["aA", "", "cC"]);
    expect(reply.response).toBe("aA");
    expect(reply.toolCalls).toEqual([]);
    expect(reply.message).toEqual(reply.choices[0]?.message);
  });

  it("joins the thoughts up to their signature, before what was said", async () => {
    const reply = await folded(
      event({ reasoning: reasoning({ text: "Hm" }) }),
      event({ reasoning: reasoning({ text: "m." }) }),
      event({ reasoning: reasoning({ signature: "sealed" }) }),
      event({ reasoning: reasoning({ redacted: "xyz" }) }),
      event({ token: "42" }),
      call(0, { id: "a", name: "f" }),
      done(),
    );
    expect(reply.response).toBe("42");
    expect(reply.message?.parts.map(({ part }) => part)).toMatchObject([
      { case: "reasoning", value: { text: "Hmm.", signature: "sealed", redacted: "" } },
      { case: "reasoning", value: { text: "", signature: "", redacted: "xyz" } },
      { case: "toolCall" },
    ]);
    expect(reply.message?.content).toBe("42");
  });

  it("keeps the order of texts between which something else was said", async () => {
    const search = { $typeName: "llmgateway.v1.ProviderPart", provider: "claude", type: "x", json: "{}" };
    const reply = await folded(
      event({ reasoning: reasoning({ text: "Hm.", signature: "one" }) }),
      event({ token: "Let me " }),
      event({ token: "look." }),
      event({ providerPart: search as ProviderPart }),
      event({ reasoning: reasoning({ text: "Ah.", signature: "two" }) }),
      event({ token: "Found." }),
      done(),
    );
    expect(reply.response).toBe("Let me look.Found.");
    expect(reply.message?.content).toBe("");
    expect(reply.message?.parts.map(({ part }) => [part.case, part.value])).toEqual([
      ["reasoning", expect.objectContaining({ text: "Hm.", signature: "one" })],
      ["text", "Let me look."],
      ["providerPart", search],
      ["reasoning", expect.objectContaining({ text: "Ah.", signature: "two" })],
      ["text", "Found."],
    ]);
  });

  it("keeps a text before thoughts that came after it", async () => {
    const reply = await folded(
      event({ reasoning: reasoning({ text: "Hm.", signature: "one" }) }),
      event({ token: "Let me look." }),
      event({ reasoning: reasoning({ text: "Ah.", signature: "two" }) }),
      call(0, { id: "a", name: "f" }),
      done(),
    );
    expect(reply.message?.content).toBe("");
    expect(reply.message?.parts.map(({ part }) => part.case)).toEqual([
      "reasoning",
      "text",
      "reasoning",
      "toolCall",
    ]);
  });

  it("keeps a text that comes behind a tool call there", async () => {
    const reply = await folded(
      call(0, { id: "a", name: "f", signature: "s" }),
      event({ token: "So." }),
      done(),
    );
    expect(reply.message?.parts.map(({ part }) => part.case)).toEqual(["toolCall", "text"]);
    expect(reply.toolCalls).toMatchObject([{ id: "a", signature: "s" }]);
  });

  it("tells a refusal apart from an answer", async () => {
    const reply = await folded(event({ refusal: "I " }), event({ refusal: "won't." }), done());
    expect(reply.response).toBe("");
    expect(reply.message?.parts.map(({ part }) => part)).toEqual([{ case: "refusal", value: "I won't." }]);
  });

  it("is a message even when the model said nothing", async () => {
    const reply = await folded(done("content_filter"));
    expect(reply).toMatchObject({
      response: "",
      finishReason: "content_filter",
      message: { role: "assistant" },
    });
  });

  it("takes who served and what it cost from the receipt", async () => {
    const receipt = receiptOf(callOf());
    Object.assign(receipt, { provider: "openai", model: "gpt-4o", cached: true, cacheKind: "exact" });
    const reply = await fold(replyOf([[event({ token: "x" }), event({ done: true, receipt })]]));
    expect(reply).toMatchObject({
      provider: "openai",
      model: "gpt-4o",
      requestId: "request-1",
      cached: true,
      cacheKind: "exact",
      cost: receipt.cost,
      attempts: receipt.attempts,
    });
  });

  it("fails as the events do", async () => {
    const failure = new Failure("cut", "gone");
    await expect(fold(replyOf([[event({ token: "x" })]], failure))).rejects.toBe(failure);
  });
});

describe("isContent", () => {
  it.each([
    ["a token", event({ token: "x" }), true],
    ["an empty token", event({ token: "" }), true],
    ["a tool call", call(0, { id: "a" }), true],
    ["a thought", event({ reasoning: reasoning({ text: "x" }) }), true],
    ["a refusal", event({ refusal: "x" }), true],
    ["the end of a choice", event({ index: 1, finishReason: "stop" }), false],
    ["the end", done(), false],
    ["nothing", event({}), false],
  ])("%s: %#", (_, given, expected) => {
    expect(isContent(given)).toBe(expected);
  });
});
