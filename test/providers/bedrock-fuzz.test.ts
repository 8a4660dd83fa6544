/** Whatever Bedrock sends, the decoder answers with events or a Failure, and forgets no usage. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { startEmulator } from "../../src/emulator/server.ts";
import { classify } from "../../src/providers/bedrock/classify.ts";
import { decodeReply } from "../../src/providers/bedrock/decode.ts";
import { decodeEmbedding } from "../../src/providers/bedrock/embeddings.ts";
import { BedrockStream } from "../../src/providers/bedrock/stream.ts";
import { EventStreamReader } from "../../src/wire/eventstream.ts";
import { loadRecordings, recordingsFolder } from "../recordings/recordings.ts";
import { eventMessage } from "../support/eventstream.ts";
import { checkEvents, flipped, flips, onlyFailures, readStream, swapped, swaps } from "../support/fuzz.ts";

const usage = {
  inputTokens: 5,
  outputTokens: 7,
  totalTokens: 14,
  cacheReadInputTokens: 2,
  cacheDetails: [{ ttl: "1h", inputTokens: 1 }],
};
const citation = { title: "A", sourceContent: [{ text: "é" }], location: { web: { url: "https://a" } } };
const trace = { promptRouter: { invokedModelId: "m" } };
const CONTENT = [
  { reasoningContent: { reasoningText: { text: "Hm", signature: "s" } } },
  { reasoningContent: { redactedContent: "eHl6" } },
  { citationsContent: { content: [{ text: "Hi, é 🎉" }], citations: [citation] } },
  { text: "Yes" },
  { toolUse: { toolUseId: "s", name: "search", type: "server_tool_use", input: {} } },
  { toolUse: { toolUseId: "a", name: "look", input: { x: 1e300 } } },
];
const REPLY = {
  output: { message: { role: "assistant", content: CONTENT } },
  stopReason: "tool_use",
  usage,
  trace,
};
const delta = (contentBlockIndex: number, value: object) => ({ contentBlockIndex, delta: value, p: "abc" });
const start = (contentBlockIndex: number, value: object) => ({ contentBlockIndex, start: value });
const EVENTS: readonly (readonly [string, object])[] = [
  ["messageStart", { role: "assistant" }],
  ["contentBlockDelta", delta(0, { reasoningContent: { text: "Hm" } })],
  ["contentBlockDelta", delta(0, { reasoningContent: { signature: "s" } })],
  ["contentBlockStop", { contentBlockIndex: 0 }],
  ["contentBlockDelta", delta(1, { citation })],
  ["contentBlockDelta", delta(1, { text: "Hi, é 🎉" })],
  ["contentBlockStop", { contentBlockIndex: 1 }],
  ["contentBlockStart", start(2, { toolUse: { toolUseId: "s", name: "search", type: "server_tool_use" } })],
  ["contentBlockDelta", delta(2, { toolUse: { input: "{}" } })],
  ["contentBlockStop", { contentBlockIndex: 2 }],
  ["contentBlockStart", start(3, { toolResult: { toolUseId: "s" } })],
  ["contentBlockDelta", delta(3, { toolResult: [{ json: {} }] })],
  ["contentBlockStop", { contentBlockIndex: 3 }],
  ["contentBlockStart", start(4, { toolUse: { toolUseId: "a", name: "look" } })],
  ["contentBlockDelta", delta(4, { toolUse: { input: '{"x":1}' } })],
  ["contentBlockStop", { contentBlockIndex: 4 }],
  ["metadata", { usage, trace, serviceTier: { type: "flex" } }],
  ["messageStop", { stopReason: "tool_use" }],
];

const metrics = { "amazon-bedrock-invocationMetrics": { inputTokenCount: 1, outputTokenCount: 2 } };
/** Of vendors whose streams have nothing in common, one after the other. */
const CHUNKS = [
  { generation: "a", prompt_token_count: 1, generation_token_count: 1, stop_reason: null },
  { outputText: "b", totalOutputTextTokenCount: 2, completionReason: "FINISH", inputTextTokenCount: 1 },
  { outputs: [{ text: "c", stop_reason: "stop" }] },
  { type: "completion", completion: "d", stop_reason: "max_tokens" },
  { type: "message_start", message: { model: "m", usage: { input_tokens: 1, output_tokens: 1 } } },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 2 } },
  { contentBlockDelta: delta(0, { text: "e" }), ...metrics },
  { type: "message_stop", ...metrics },
];
const REPLIES = [
  REPLY,
  { results: [{ outputText: "a", completionReason: "FINISH", tokenCount: 1 }], inputTextTokenCount: 2 },
  { generation: "a", prompt_token_count: 1, generation_token_count: 1, stop_reason: "stop" },
  { outputs: [{ text: "a", stop_reason: "stop" }] },
  { completion: "a", stop_reason: "stop_sequence" },
  { type: "message", content: [{ type: "text", text: "a" }], stop_reason: "end_turn", usage: {} },
];

function wire(frames: readonly (readonly [string, object])[]): Buffer {
  return Buffer.concat(frames.map(([type, payload]) => eventMessage(type, payload)));
}

const inChunk = (json: string): readonly [string, object] => [
  "chunk",
  { bytes: Buffer.from(json).toString("base64") },
];

test("events with odd values", () => {
  const all = fc.array(swaps, { minLength: EVENTS.length, maxLength: EVENTS.length });
  fc.assert(
    fc.property(all, (places) => {
      const frames = EVENTS.map(
        ([type, payload], i) => [type, JSON.parse(swapped(payload, places[i] ?? []))] as const,
      );
      readStream(wire(frames), new BedrockStream(), new EventStreamReader());
    }),
    { seed: 1, numRuns: 300 },
  );
});

test("events and chunks in any order, and any number of times", () => {
  const frames = [...EVENTS, ...CHUNKS.map((value) => inChunk(JSON.stringify(value)))];
  const order = fc.array(fc.constantFrom(...frames), { maxLength: 30 });
  fc.assert(
    fc.property(order, (some) => readStream(wire(some), new BedrockStream(), new EventStreamReader())),
    { seed: 2, numRuns: 500 },
  );
});

test("chunks with odd values", () => {
  fc.assert(
    fc.property(fc.array(swaps, { minLength: CHUNKS.length, maxLength: CHUNKS.length }), (places) => {
      for (const [i, value] of CHUNKS.entries())
        readStream(
          wire([inChunk(swapped(value, places[i] ?? []))]),
          new BedrockStream(),
          new EventStreamReader(),
        );
    }),
    { seed: 3, numRuns: 200 },
  );
});

test("whole replies, embeddings and errors with odd values", () => {
  const errors = { message: "no", __type: "a#b", originalStatusCode: 1 };
  fc.assert(
    fc.property(swaps, fc.integer({ min: 300, max: 599 }), (places, status) => {
      for (const reply of REPLIES)
        onlyFailures(() => checkEvents(decodeReply(swapped(reply, places), {}).events));
      onlyFailures(() => decodeEmbedding(swapped({ embedding: [1, 2], inputTextTokenCount: 1 }, places), {}));
      expect(classify(status, {}, swapped(errors, places)).name).toBe("Failure");
    }),
    { seed: 4, numRuns: 300 },
  );
});

test("figures that came stay when the stream is cut anywhere after them", () => {
  const first = wire(EVENTS.slice(0, -1)).length;
  const whole = wire([...EVENTS, ["contentBlockDelta", delta(9, { text: "more" })]]);
  for (let end = first; end < whole.length; end++) {
    const stream = new BedrockStream();
    readStream(whole.subarray(0, end), stream, new EventStreamReader());
    expect(stream.usage).toMatchObject({ inputTokens: 7, outputTokens: 7, provenance: "measured" });
  }
});

const folder = recordingsFolder();
const streams =
  folder === undefined
    ? []
    : loadRecordings(folder, ["bedrock"])
        .filter(({ meta }) => meta.request.stream && meta.status === 200)
        .map(({ name, body }) => [name, body] as const);

describe("with wrong bytes, cut anywhere", () => {
  function mutate(whole: Buffer, numRuns: number): void {
    fc.assert(
      fc.property(flips, fc.nat(whole.length), (changes, end) => {
        const bytes = flipped(Buffer.from(whole.subarray(0, end)), changes);
        readStream(bytes, new BedrockStream(), new EventStreamReader());
      }),
      { seed: 5, numRuns },
    );
  }

  test("a stream of everything", () => mutate(wire(EVENTS), 500));

  test("a stream of the emulator", async () => {
    const emulator = await startEmulator();
    const body = {
      messages: [{ role: "user", content: [{ text: "Use look" }] }],
      toolConfig: { tools: [{ toolSpec: { name: "look", inputSchema: { json: { type: "object" } } } }] },
      additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 1024 } },
    };
    const reply = await fetch(`${emulator.url}/model/us.amazon.nova-lite-v1:0/converse-stream`, {
      method: "POST",
      headers: { authorization: "Bearer any" },
      body: JSON.stringify(body),
    });
    mutate(Buffer.from(await reply.arrayBuffer()), 300);
    await emulator.close();
  });

  if (streams.length > 0) test.each(streams)("%s", (_, body) => mutate(body.subarray(0, 12_000), 60));
});
