/** Whatever Anthropic sends, the decoder answers with events or a Failure, and forgets no usage. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { startEmulator } from "../../src/emulator/server.ts";
import { classify } from "../../src/providers/claude/classify.ts";
import { decodeReply } from "../../src/providers/claude/decode.ts";
import { ClaudeStream } from "../../src/providers/claude/stream.ts";
import { SseReader } from "../../src/wire/sse.ts";
import { loadRecordings, recordingsFolder } from "../recordings/recordings.ts";
import { checkEvents, flipped, flips, onlyFailures, readStream, swapped, swaps } from "../support/fuzz.ts";

const usage = {
  input_tokens: 5,
  output_tokens: 1,
  cache_read_input_tokens: 2,
  cache_creation: { ephemeral_1h_input_tokens: 1 },
};
const citation = { type: "char_location", cited_text: "é", document_title: "A", start_char_index: 0 };
const BLOCKS = [
  { type: "thinking", thinking: "Hm", signature: "s" },
  { type: "redacted_thinking", data: "xyz" },
  { type: "text", text: "Hi, é 🎉", citations: [citation] },
  { type: "server_tool_use", id: "s", name: "web_search", input: { q: 1 } },
  { type: "tool_use", id: "a", name: "look", input: { x: 1e21 } },
];
const REPLY = { type: "message", model: "m", content: BLOCKS, stop_reason: "tool_use", usage };
const ERROR = { type: "error", error: { type: "t", message: "no", details: { error_code: "c" } } };
const DELTAS = [
  { type: "thinking_delta", thinking: "m" },
  { type: "signature_delta", signature: "t" },
  { type: "citations_delta", citation },
  { type: "text_delta", text: "o" },
  { type: "input_json_delta", partial_json: '{"q":1}' },
];
const EVENTS = [
  { type: "message_start", message: { model: "m", content: [], usage } },
  ...BLOCKS.flatMap((content_block, index) => [
    { type: "content_block_start", index, content_block },
    { type: "content_block_delta", index, delta: DELTAS[index] },
    { type: "content_block_stop", index },
  ]),
  { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 7 } },
  { type: "message_stop" },
];

const sse = (datas: readonly string[]) =>
  Buffer.from(datas.map((data) => `event: x\ndata: ${data}\n\n`).join(""));

test("a stream with odd values", () => {
  const all = fc.array(swaps, { minLength: EVENTS.length, maxLength: EVENTS.length });
  fc.assert(
    fc.property(all, (places) => {
      readStream(sse(EVENTS.map((event, i) => swapped(event, places[i] ?? []))), new ClaudeStream());
    }),
    { seed: 1, numRuns: 300 },
  );
});

test("events in any order, and any number of times", () => {
  const order = fc.array(fc.nat(EVENTS.length - 1), { maxLength: 30 });
  fc.assert(
    fc.property(order, (places) => {
      readStream(sse(places.map((place) => JSON.stringify(EVENTS[place]))), new ClaudeStream());
    }),
    { seed: 2, numRuns: 300 },
  );
});

test("whole replies and errors with odd values", () => {
  fc.assert(
    fc.property(swaps, fc.integer({ min: 300, max: 599 }), (places, status) => {
      onlyFailures(() => checkEvents(decodeReply(swapped(REPLY, places)).events));
      expect(classify(status, {}, swapped(ERROR, places)).name).toBe("Failure");
    }),
    { seed: 3, numRuns: 300 },
  );
});

test("figures that came stay when the stream is cut anywhere after them", () => {
  const datas = EVENTS.map((event) => JSON.stringify(event));
  const [first, last] = [sse(datas.slice(0, 1)).length, sse(datas.slice(0, -1)).length];
  const whole = sse(datas);
  for (let end = first; end < whole.length; end++) {
    const reader = new SseReader();
    const stream = new ClaudeStream();
    onlyFailures(() => {
      for (const data of [...reader.push(whole.subarray(0, end)), ...reader.end()]) stream.push(data);
      stream.end();
    });
    expect(stream.usage?.inputTokens).toBe(7);
    if (end >= last) expect(stream.usage).toMatchObject({ outputTokens: 7, provenance: "measured" });
  }
});

const folder = recordingsFolder();
const streams =
  folder === undefined
    ? []
    : loadRecordings(folder, ["anthropic", "vertex-anthropic"])
        .filter(({ meta }) => meta.request.stream && meta.status === 200)
        .map(({ name, body }) => [name, body] as const);

describe("with wrong bytes, cut anywhere", () => {
  function mutate(whole: Buffer, numRuns: number): void {
    fc.assert(
      fc.property(flips, fc.nat(whole.length), (changes, end) => {
        readStream(flipped(Buffer.from(whole.subarray(0, end)), changes), new ClaudeStream());
      }),
      { seed: 4, numRuns },
    );
  }

  test("a stream of everything", () => {
    mutate(sse(EVENTS.map((event) => JSON.stringify(event))), 500);
  });

  test("a stream of the emulator", async () => {
    const emulator = await startEmulator();
    const body = {
      model: "claude-haiku-4-5",
      max_tokens: 2000,
      stream: true,
      thinking: { type: "enabled", budget_tokens: 1024 },
      tools: [
        {
          name: "look",
          input_schema: { type: "object", properties: { x: { type: "string" } }, required: ["x"] },
        },
      ],
      messages: [{ role: "user", content: "Use look" }],
    };
    const reply = await fetch(`${emulator.url}/v1/messages`, { method: "POST", body: JSON.stringify(body) });
    mutate(Buffer.from(await reply.arrayBuffer()), 150);
    await emulator.close();
  });

  if (streams.length > 0)
    test.each(streams)("%s", (_, body) => {
      // The long ones are searches, which repeat themselves.
      mutate(body.subarray(0, 12_000), 40);
    });
});
