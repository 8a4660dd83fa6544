/** What of an answer is taken down, which answers are not to be kept, and how little a long one holds meanwhile. */
import { describe, expect, it } from "vitest";
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { Recording } from "../../src/cache/recording.ts";
import { type Batch, event, fold, reasoning, toolCallDelta } from "../../src/core/reply.ts";
import { replyOf, spoken } from "../support/call.ts";

const RULES = { maxBytes: 10_000, paced: false };
const DONE = event({ done: true, finishReason: "stop" });

function recordingOf(batches: readonly Batch[], rules: Partial<typeof RULES> = {}): Recording {
  const recording = new Recording({ ...RULES, ...rules });
  for (const [index, batch] of batches.entries()) recording.add(batch, index * 10);
  return recording;
}

const eventsOf = ({ recorded }: Recording): StreamResponse[] => recorded.flatMap(({ events }) => events);
const saying = (fields: object) => event(fields as never);

describe("is not kept", () => {
  it.each<[string, Batch[]]>([
    ["it ended with length", spoken(["a"], "length")],
    ["it ended with content_filter", spoken(["a"], "content_filter")],
    ["it ended with budget_exceeded", spoken(["a"], "budget_exceeded")],
    ["it ended with pause", spoken(["a"], "pause")],
    ["it ended with what nobody knows", spoken(["a"], "what nobody knows")],
    ["it ended with no reason", spoken(["a"], "")],
    ["it does not say why it ended", [[saying({ token: "a" })], [saying({ done: true })]]],
    ["it is empty", [[DONE]]],
    ["it is empty", spoken(["", ""])],
    ["the model refused", [[saying({ refusal: "No" })], [DONE]]],
    ["it failed", [[saying({ token: "a" })], [saying({ error: { kind: "internal" } })]]],
    ["it ended with length", [[saying({ token: "a", index: 1, finishReason: "length" })], [DONE]]],
    ["it is larger than 10000 bytes", spoken(["a".repeat(10_001)])],
    ["it is larger than 10000 bytes", spoken(Array(1_000).fill("ten chars "))],
    ["it is larger than 10000 bytes", spoken(["д".repeat(5_001)])],
  ])("since %s", (why, batches) => {
    const recording = recordingOf(batches);
    expect(recording.objection).toBe(why);
    expect(eventsOf(recording)).toEqual([]);
  });

  it("and what comes after is not held either", () => {
    const recording = recordingOf([...spoken(["x".repeat(20_000), "b"])], { paced: true });
    expect([recording.objection, recording.recorded]).toEqual(["it is larger than 10000 bytes", []]);
  });
});

describe("is kept", () => {
  it.each(["stop", "tool_calls"])("when it ended with %s", (finishReason) => {
    expect(recordingOf(spoken(["a"], finishReason)).objection).toBe("");
  });

  it("without its costs and its receipt", () => {
    const cost = { costUsd: 1, costPicoUsd: 1n };
    const done = { ...DONE, totalCostUsd: 1, receipt: { requestId: "r" } };
    const recording = recordingOf([[saying({ token: "a", ...cost })], [done as never]]);
    expect(eventsOf(recording)).toEqual([event({ token: "a" }), DONE]);
  });

  it("as few pieces, where it does not matter when each came", () => {
    const tokens = Array.from({ length: 600 }, (_, index) => `word${index} `);
    const events = eventsOf(recordingOf(spoken(tokens)));
    expect(events.map(({ token }) => token ?? "").join("")).toBe(tokens.join(""));
    expect(events.length).toBeLessThan(10);
  });

  it("piece by piece, with when each came, where that matters", () => {
    expect(recordingOf(spoken(["a", "b"]), { paced: true }).recorded).toEqual([
      { events: [event({ token: "a" })], atMs: 0 },
      { events: [event({ token: "b" })], atMs: 10 },
      { events: [DONE], atMs: 20 },
    ]);
  });

  it("so that it comes to the same whole", async () => {
    const batches: Batch[] = [
      [saying({ reasoning: reasoning({ text: "Let " }) }), saying({ reasoning: reasoning({ text: "me" }) })],
      [saying({ reasoning: reasoning({ signature: "s" }) })],
      [saying({ token: "One" }), saying({ token: " two" }), saying({ token: "Eins", index: 1 })],
      [saying({ token: " three" }), saying({ citation: { title: "t" } }), saying({ token: " four" })],
      [saying({ toolCall: toolCallDelta(0, { id: "1", name: "f", arguments: '{"a"' }) })],
      [saying({ toolCall: toolCallDelta(0, { arguments: ":1}" }) }), saying({ token: "!" })],
      [saying({ token: "?", finishReason: "stop" }), saying({ index: 1, finishReason: "stop" })],
      [event({ done: true, finishReason: "tool_calls" })],
    ];
    const whole = await fold(replyOf(batches));
    for (const paced of [true, false]) {
      const { recorded } = recordingOf(batches, { paced });
      expect(await fold(replyOf(recorded.map(({ events }) => events)))).toEqual(whole);
    }
  });

  it("and leaves the events that pass by as they are", () => {
    const passing = spoken(["a", "b", "c"]);
    recordingOf(passing);
    expect(passing).toEqual(spoken(["a", "b", "c"]));
  });
});
