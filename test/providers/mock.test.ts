import { describe, expect, it } from "vitest";
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { fold, foldEmbeddings } from "../../src/core/reply.ts";
import { mockProvider } from "../../src/providers/mock.ts";
import { attemptCallOf, type CallInit, eventsOf } from "../support/call.ts";

const serve = mockProvider();
const target = { provider: "mock", model: "mock-echo" };

async function said(init: CallInit & { maxTokens?: number } = {}) {
  const call = attemptCallOf({ target, ...init });
  const events: StreamResponse[] = await eventsOf(await serve(call));
  const { attempt } = call;
  return { events, attempt, text: events.map(({ token }) => token ?? "").join("") };
}

const asking = (content: string, parameters: { maxTokens?: number } = {}) => ({
  request: { messages: [{ role: "user", content }], parameters },
});

describe("the mock provider", () => {
  it("takes no longer for a text of spaces than for one of words", async () => {
    const { text, attempt } = await said(asking(`Hello${" ".repeat(1_000_000)}`));
    expect(text).toBe("This is the mock provider. You said: Hello");
    expect(attempt.usage?.inputTokens).toBe(1);
  });

  it("says what it is, and repeats what the user said last", async () => {
    const messages = [
      { role: "user", content: "Good  morning" },
      { role: "assistant", content: "Hello" },
      { role: "user", content: "What is\n2 + 2?" },
      { role: "assistant", content: "Let me see" },
    ];
    const { text, events } = await said({ request: { messages } });
    expect(text).toBe("This is the mock provider. You said: What is\n2 + 2?");
    expect(events.at(-1)).toMatchObject({ done: true, finishReason: "stop" });
  });

  it("hears parts too", async () => {
    const parts = [{ part: { case: "text" as const, value: "in a part" } }];
    const { text } = await said({ request: { messages: [{ role: "user", content: "Text", parts }] } });
    expect(text).toContain("You said: Text in a part");
  });

  it("says the same to the same request, whole or streamed", async () => {
    const first = await said(asking("Hello"));
    const second = await said(asking("Hello"));
    expect(second.events).toEqual(first.events);
    const whole = await fold(await serve(attemptCallOf({ target, streaming: false, ...asking("Hello") })));
    expect(whole.response).toBe(first.text);
    expect((await said(asking("Goodbye"))).text).not.toBe(first.text);
  });

  it("counts a token a word, in and out", async () => {
    const { attempt, events } = await said(asking("one two three"));
    expect(attempt).toMatchObject({
      servedModel: "mock-echo",
      usage: { provenance: "measured", inputTokens: 3, outputTokens: 10 },
    });
    expect(events).toHaveLength(11);
  });

  it.each([
    ["the caller's limit", asking("one two three", { maxTokens: 4 }), 4],
    [
      "the gateway's limit, which is lower",
      { ...asking("one two three", { maxTokens: 4 }), maxTokens: 2 },
      2,
    ],
  ])("stops at %s", async (_, init, tokens) => {
    const { attempt, events, text } = await said(init);
    expect(text.split(" ")).toHaveLength(tokens);
    expect(attempt.usage?.outputTokens).toBe(tokens);
    expect(events.at(-1)).toMatchObject({ done: true, finishReason: "length" });
  });

  it("answers even to nothing", async () => {
    const { text, events } = await said({ request: { messages: [{ role: "system", content: "Be brief" }] } });
    expect(text).toBe("This is the mock provider. You said:");
    expect(events.at(-1)?.finishReason).toBe("stop");
  });
});

describe("the mock's embeddings", () => {
  async function embedded(init: NonNullable<CallInit["embed"]>) {
    const call = attemptCallOf({ target: { provider: "mock", model: "mock-embed" }, embed: init });
    const { embeddings } = await foldEmbeddings(await serve(call));
    return { call, embeddings, vectors: embeddings.map(({ values }) => values) };
  }

  it("are the same for the same text and others for another, each of length 1", async () => {
    const { embeddings, vectors } = await embedded({ input: ["one text", "another", "one text"] });
    expect(embeddings.map(({ index }) => index)).toEqual([0, 1, 2]);
    const [first, second, third] = vectors;
    expect(third).toEqual(first);
    expect(second).not.toEqual(first);
    for (const vector of vectors) {
      expect(vector).toHaveLength(256);
      expect(Math.hypot(...vector)).toBeCloseTo(1, 10);
    }
  });

  it("count a token a word, and none written", async () => {
    const { call } = await embedded({ input: ["one text", "another"] });
    expect(call.attempt).toMatchObject({
      servedModel: "mock-embed",
      usage: { inputTokens: 3, outputTokens: 0, provenance: "measured" },
    });
    expect(call.tally.dropped).toEqual([]);
  });

  it("are as long as asked for, and alike for all types of input", async () => {
    const { call, vectors } = await embedded({ input: ["text"], dimensions: 8, inputType: "query" });
    expect(vectors[0]).toHaveLength(8);
    expect(call.tally.dropped).toEqual(["input_type"]);
  });
});
