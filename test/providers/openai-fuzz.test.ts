/** Whatever a provider sends, the decoder answers with events or a Failure, and forgets no usage. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { Failure } from "../../src/core/failure.ts";
import { classify } from "../../src/providers/openai/classify.ts";
import { decodeReply } from "../../src/providers/openai/decode.ts";
import { decodeEmbedding } from "../../src/providers/openai/embeddings.ts";
import { OpenAiStream } from "../../src/providers/openai/stream.ts";
import { SseReader } from "../../src/wire/sse.ts";

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

const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(null, "", 0, -1, 1.5, 1e300, [], {}, [null], [[]], true, "stop", { error: "x" }),
);
/** Which of the values in a JSON text is replaced, and by what. */
const swaps = fc.array(fc.tuple(fc.nat(60), odd), { maxLength: 4 });
/** Where bytes are changed, and to what. */
const flips = fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 6 });

function swapped(value: unknown, places: readonly (readonly [number, unknown])[]): string {
  let at = 0;
  return JSON.stringify(value, (_, inner: unknown) => {
    const here = at++;
    const swap = places.find(([place]) => place === here);
    return swap ? structuredClone(swap[1]) : inner;
  });
}

function onlyFailures(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
  }
}

function checkEvents(events: readonly StreamResponse[]): void {
  for (const { token, refusal, reasoning, toolCall, finishReason, index } of events) {
    for (const text of [token, refusal, finishReason, reasoning?.text, toolCall?.id, toolCall?.name]) {
      expect(["string", "undefined"]).toContain(typeof text);
    }
    for (const text of [toolCall?.arguments, toolCall?.input])
      expect(["string", "undefined"]).toContain(typeof text);
    for (const number of [index, toolCall?.index]) expect(number === undefined || number >= 0).toBe(true);
  }
}

/** Reads on after a failure, as nothing that comes then may do harm either. */
function readStream(bytes: Uint8Array): void {
  const sse = new SseReader({ maxEventChars: 10_000 });
  const stream = new OpenAiStream();
  let reported = stream.usage;
  const decode = (data: string) =>
    onlyFailures(() => {
      checkEvents(stream.push(data));
    });
  for (let i = 0; i < bytes.length; i += 97) {
    onlyFailures(() => {
      for (const data of sse.push(bytes.subarray(i, i + 97))) {
        decode(data);
        if (reported) expect(stream.usage).toBeDefined();
        reported = stream.usage;
      }
    });
  }
  onlyFailures(() => sse.end().forEach(decode));
  onlyFailures(() => checkEvents(stream.end()));
  if (reported) expect(stream.usage).toBeDefined();
}

test("a stream with odd values", () => {
  fc.assert(
    fc.property(fc.array(swaps, { minLength: 5, maxLength: 5 }), (all) => {
      const chunks = CHUNKS.map((chunk, i) => swapped(chunk, all[i] ?? []));
      readStream(Buffer.from([...chunks, "[DONE]"].map((data) => `data: ${data}\n\n`).join("")));
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
      const bytes = Buffer.from(whole.subarray(0, end));
      for (const [place, byte] of changes) if (place < bytes.length) bytes[place] = byte;
      readStream(bytes);
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
