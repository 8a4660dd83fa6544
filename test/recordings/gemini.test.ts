/** Gemini and Vertex AI, as they were recorded. */
import { expect } from "vitest";
import { geminiDialect, geminiResource } from "../../src/providers/gemini/dialect.ts";
import { decodeEmbedding } from "../../src/providers/gemini/embeddings.ts";
import { decodeEmbedding as decodeVertexEmbedding } from "../../src/providers/vertex_ai/embeddings.ts";
import type { Recording } from "./recordings.ts";
import { type Post, replaySuite } from "./suite.ts";

replaySuite({
  title: "Gemini and Vertex AI",
  providers: ["gemini", "vertex"],
  dialectFor: () => geminiDialect(geminiResource),
  failures: {
    "gemini/error-400-api-key": { kind: "provider_auth" },
    "gemini/error-403": { kind: "provider_auth" },
    "gemini/error-403-api-disabled": { kind: "provider_permission" },
    "gemini/error-404-model": { kind: "model_not_found" },
    "gemini/error-429": { kind: "provider_rate_limited", retryAfterMs: 48_000 },
    "gemini/stream-prompt-blocked": { kind: "content_filtered" },
    "vertex/error-400-prompt-too-long": { kind: "context_too_long" },
    "vertex/error-403-iam": { kind: "provider_permission" },
    "vertex/error-404-model": { kind: "model_not_found" },
    "vertex/error-429": { kind: "provider_rate_limited" },
    "vertex/generate-prompt-blocked": { kind: "content_filtered" },
    "vertex/stream-error-mid-stream": { kind: "provider_error" },
  },
  finishReasons: {
    "1": "stop",
    STOP: "stop",
    MAX_TOKENS: "length",
    SAFETY: "content_filter",
    RECITATION: "content_filter",
    MODEL_ARMOR: "content_filter",
  },
  corrections: {
    // The recordings have no ids here, and callers need one: it is made of the reply's own.
    "gemini/generate-tool-call": {
      calls: [call("gemini-l9cEatb8N4S-qtsP64XbyAs-0", "get_weather", { location: "San Francisco" })],
    },
    "gemini/stream-thinking-tool": {
      calls: [call("gemini-zwCzaYWfAbnoz7IPmc_m6Q4-0", "weather", { location: "Florence, Italy" })],
    },
    "gemini/stream-tool-call": {
      calls: [call("gemini-1lpeaMTxIpW1nvgP-O3vwQY-0", "get_capital", { country: "France" })],
    },
    "gemini/stream-tool-call-thought-signature": {
      calls: [call("gemini-QUVVadTSNJ6_qtsPvN7J8Q0-0", "get_country", {})],
    },
    "vertex/generate-parallel-tool-calls": {
      calls: [
        call("gemini-zr-FaqaoHKe2mPUPqJKc8QI-0", "weather", { longitude: "13.4050", latitude: "52.5200" }),
        call("gemini-zr-FaqaoHKe2mPUPqJKc8QI-1", "best_language_to_learn", {}),
      ],
    },
    "vertex/stream-parallel-tool-calls": {
      calls: [
        call("gemini-jACzae7uE_mew-UP9PGpKQ-0", "add", { b: 3, a: 2 }),
        call("gemini-jACzae7uE_mew-UP9PGpKQ-1", "multiply", { b: 3, a: 2 }),
      ],
    },
    // What the code answered is part of what was read: 147 + 360, and with 276 written it is the total of 783.
    "gemini/stream-code-execution": { usage: { inputTokens: 507, toolUseInputTokens: 360 } },
    // Nothing was written: the total is the prompt's 14.
    "gemini/generate-safety": { usage: { outputTokens: 0 } },
    // Text came, and no count for it, not even in a total.
    "vertex/generate-partial-usage": { usage: { outputTokens: 0, provenance: "estimated" } },
    // A picture of 1290 of the 1370 tokens.
    "gemini/stream-no-content-parts": { usage: { imageOutputTokens: 1290 } },
  },
  checkOther: checkEmbeddings,
});

function call(id: string, name: string, args: object) {
  return { id, name, arguments: args };
}

async function checkEmbeddings({ meta, provider }: Recording, post: Post): Promise<boolean> {
  const { embeddings, dimensions, input_tokens } = meta.expected;
  if (embeddings === undefined) return false;
  const decode = provider === "vertex" ? decodeVertexEmbedding : decodeEmbedding;
  const { vectors, usage } = decode(await post("/embeddings"));
  expect(vectors.map(({ length }) => length)).toEqual(Array(embeddings).fill(dimensions));
  expect(usage?.inputTokens).toBe(input_tokens);
  return true;
}
