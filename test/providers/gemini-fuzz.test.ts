/** Whatever Google sends, the decoder answers with events or a Failure, and forgets no usage. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { classify, classifyStray } from "../../src/providers/gemini/classify.ts";
import { decodeReply, GeminiStream } from "../../src/providers/gemini/decode.ts";
import { decodeEmbedding } from "../../src/providers/gemini/embeddings.ts";
import { decodeEmbedding as decodeVertexEmbedding } from "../../src/providers/vertex_ai/embeddings.ts";
import { SseReader } from "../../src/wire/sse.ts";
import { loadRecordings, recordingsFolder } from "../recordings/recordings.ts";
import { checkEvents, flipped, flips, onlyFailures, readStream, swapped, swaps } from "../support/fuzz.ts";

const usageMetadata = {
  promptTokenCount: 5,
  candidatesTokenCount: 4,
  thoughtsTokenCount: 3,
  toolUsePromptTokenCount: 2,
  totalTokenCount: 14,
  cachedContentTokenCount: 1,
  promptTokensDetails: [{ modality: "AUDIO", tokenCount: 2 }],
  candidatesTokensDetails: [{ modality: "IMAGE", tokenCount: 1 }],
  serviceTier: "standard",
  trafficType: "ON_DEMAND",
};
const parts = [
  { text: "Hm", thought: true, thoughtSignature: "c2VhbA==" },
  { text: "Hi, é 🎉" },
  { functionCall: { name: "look", args: { x: 1 }, id: "a" }, thoughtSignature: "c2VhbA==" },
  { executableCode: { language: "PYTHON", code: "1" } },
  { inlineData: { mimeType: "image/png", data: "AA==" } },
  { text: "", thoughtSignature: "c2VhbA==" },
];
const candidate = {
  content: { role: "model", parts },
  index: 0,
  citationMetadata: { citationSources: [{ startIndex: 1, endIndex: 4, uri: "https://example.com" }] },
  groundingMetadata: {
    webSearchQueries: ["q"],
    groundingChunks: [{ web: { uri: "https://example.com", title: "t" } }],
    groundingSupports: [{ segment: { startIndex: 0, endIndex: 3 }, groundingChunkIndices: [0] }],
  },
};
const head = { modelVersion: "m", responseId: "r" };
const CHUNKS = [
  { candidates: [candidate], usageMetadata: { promptTokenCount: 5, totalTokenCount: 5 }, ...head },
  { candidates: [{ content: { parts: [{ text: "two" }] }, index: 1 }], ...head },
  { candidates: [{ finishReason: "STOP", index: 0, finishMessage: "x" }], usageMetadata, ...head },
  { candidates: [{ finishReason: 2, index: 1 }], ...head },
];
const ERROR = {
  error: {
    code: 429,
    message: "no",
    status: "RESOURCE_EXHAUSTED",
    details: [{ violations: [{ quotaId: "PerDay" }] }, { retryDelay: "1s" }, { reason: "r", metadata: {} }],
  },
};
const EMBEDDINGS = { embeddings: [{ values: [1, 2] }], usageMetadata };
const PREDICTIONS = { predictions: [{ embeddings: { values: [1], statistics: { token_count: 1 } } }] };

function sse(datas: readonly string[]): Buffer {
  return Buffer.from(datas.map((data) => `data: ${data}\r\n\r\n`).join(""));
}

test("a stream with odd values", () => {
  fc.assert(
    fc.property(fc.array(swaps, { minLength: 4, maxLength: 4 }), (all) => {
      readStream(sse(CHUNKS.map((chunk, i) => swapped(chunk, all[i] ?? []))), new GeminiStream({}));
    }),
    { seed: 1, numRuns: 800 },
  );
});

test("a whole reply with odd values, alone or in a list", () => {
  fc.assert(
    fc.property(swaps, fc.boolean(), (places, list) => {
      const whole = { ...CHUNKS[0], candidates: [{ ...candidate, finishReason: "STOP" }], usageMetadata };
      const body = swapped(list ? [whole, CHUNKS[2]] : whole, places);
      onlyFailures(() => checkEvents(decodeReply(body, {}).events));
    }),
    { seed: 2, numRuns: 800 },
  );
});

test("errors and embeddings with odd values", () => {
  fc.assert(
    fc.property(swaps, fc.integer({ min: 300, max: 599 }), (places, status) => {
      classify(status, {}, swapped(ERROR, places));
      classifyStray(swapped([ERROR], places));
      onlyFailures(() => decodeEmbedding(swapped(EMBEDDINGS, places)));
      onlyFailures(() => decodeVertexEmbedding(swapped(PREDICTIONS, places)));
    }),
    { seed: 3, numRuns: 800 },
  );
});

test("usage that came stays when the stream is cut anywhere after it", () => {
  const datas = CHUNKS.map((chunk) => JSON.stringify(chunk));
  const whole = sse(datas);
  for (let end = sse(datas.slice(0, 3)).length; end < whole.length; end++) {
    const reader = new SseReader();
    const stream = new GeminiStream({});
    onlyFailures(() => {
      for (const data of [...reader.push(whole.subarray(0, end)), ...reader.end()]) stream.push(data);
      stream.end(reader.strayText);
    });
    expect(stream.usage?.totalTokens).toBe(14);
  }
});

const folder = recordingsFolder();
const recorded = folder === undefined ? [] : loadRecordings(folder, ["gemini", "vertex"]);

test.skipIf(recorded.length === 0)("recordings with wrong bytes, cut anywhere", () => {
  fc.assert(
    fc.property(fc.nat(recorded.length - 1), flips, fc.nat(6000), (place, changes, end) => {
      const { meta, body = Buffer.of() } = recorded[place] ?? {};
      const bytes = flipped(Buffer.from(body.subarray(0, end)), changes);
      if (meta?.body.endsWith(".sse")) readStream(bytes, new GeminiStream({}));
      else if (meta?.expected.error) classify(meta.status, {}, bytes.toString());
      else onlyFailures(() => checkEvents(decodeReply(bytes.toString(), {}).events));
    }),
    { seed: 4, numRuns: 1500 },
  );
});
