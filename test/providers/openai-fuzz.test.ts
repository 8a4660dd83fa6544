/** Whatever a provider sends, the decoder answers with events or a Failure, and forgets no usage. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import { classify } from "../../src/providers/openai/classify.ts";
import { decodeReply } from "../../src/providers/openai/decode.ts";
import { decodeEmbedding } from "../../src/providers/openai/embeddings.ts";
import { OpenAiStream } from "../../src/providers/openai/stream.ts";
import { SseReader } from "../../src/wire/sse.ts";
import { checkEvents, flipped, flips, onlyFailures, readStream, swapped, swaps } from "../support/fuzz.ts";

const usage = {
  prompt_tokens: 5,
  completion_tokens: 7,
  total_tokens: 12,
  prompt_tokens_details: { cached_tokens: 1, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 2 },
};
const said = {
  role: "assistant",
  content: "Hi, é 🎉",
  refusal: null,
  reasoning_content: "Hm",
  tool_calls: [
    { index: 0, id: "a", type: "function", function: { name: "look", arguments: '{"x":1}' } },
    { index: 1, id: "b", type: "custom", custom: { name: "sum", input: "4 + 4" } },
  ],
  function_call: { name: "old", arguments: "{}" },
};
const head = { id: "chatcmpl-1", model: "m", service_tier: "default" };
const CHUNKS = [
  { id: "", model: "", choices: [], prompt_filter_results: [] },
  { ...head, usage: null, choices: [{ index: 0, delta: said, finish_reason: null }], obfuscation: "xyz" },
  { ...head, choices: [{ index: 1, delta: { content: "two" }, finish_reason: "length" }] },
  { ...head, choices: [], usage },
  { ...head, choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }] },
];
const REPLY = { ...head, choices: [{ index: 0, message: said, finish_reason: "stop" }], usage };
const ERROR = { error: { message: "no", type: "t", code: "c", innererror: { code: "i" } } };
const EMBEDDING = { data: [{ index: 0, embedding: [1, 2] }], model: "m", usage };

test("a stream with odd values", () => {
  fc.assert(
    fc.property(fc.array(swaps, { minLength: 5, maxLength: 5 }), (all) => {
      const chunks = CHUNKS.map((chunk, i) => swapped(chunk, all[i] ?? []));
      const bytes = Buffer.from([...chunks, "[DONE]"].map((data) => `data: ${data}\n\n`).join(""));
      readStream(bytes, new OpenAiStream());
    }),
    { seed: 1, numRuns: 500 },
  );
});

test("a stream with wrong bytes, cut anywhere", () => {
  const whole = Buffer.from(
    [...CHUNKS.map((chunk) => JSON.stringify(chunk)), "[DONE]"].map((d) => `data: ${d}\n\n`).join(""),
  );
  fc.assert(
    fc.property(flips, fc.nat(whole.length), (changes, end) => {
      readStream(flipped(Buffer.from(whole.subarray(0, end)), changes), new OpenAiStream());
    }),
    { seed: 2, numRuns: 500 },
  );
});

test("usage that came stays when the stream is cut anywhere after it", () => {
  const datas = CHUNKS.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`);
  const withUsage = Buffer.byteLength(datas.slice(0, 4).join(""));
  const whole = Buffer.from(datas.join(""));
  for (let end = withUsage; end < whole.length; end++) {
    const sse = new SseReader();
    const stream = new OpenAiStream();
    onlyFailures(() => {
      for (const data of [...sse.push(whole.subarray(0, end)), ...sse.end()]) stream.push(data);
      stream.end();
    });
    expect(stream.usage?.totalTokens).toBe(12);
  }
});

test("whole replies, errors and embeddings with odd values", () => {
  fc.assert(
    fc.property(swaps, fc.integer({ min: 300, max: 599 }), (places, status) => {
      onlyFailures(() => checkEvents(decodeReply(swapped(REPLY, places)).events));
      onlyFailures(() => decodeEmbedding(swapped(EMBEDDING, places)));
      expect(classify(status, {}, swapped(ERROR, places))).toBeInstanceOf(Failure);
    }),
    { seed: 3, numRuns: 500 },
  );
});
