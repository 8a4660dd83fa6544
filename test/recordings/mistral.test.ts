/** Mistral, as it was recorded. */
import { expect } from "vitest";
import { mistralDialect } from "../../src/providers/mistral/dialect.ts";
import { decodeEmbedding } from "../../src/providers/openai/embeddings.ts";
import type { Recording } from "./recordings.ts";
import { type Post, replaySuite } from "./suite.ts";

replaySuite({
  title: "Mistral",
  providers: ["mistral"],
  dialectFor: () => mistralDialect,
  failures: {
    "mistral/error-400-batch": { kind: "provider_bad_request" },
    "mistral/error-400-logprobs": { kind: "provider_bad_request" },
    "mistral/error-400-model": { kind: "model_not_found" },
    "mistral/error-401": { kind: "provider_auth" },
  },
  finishReasons: { stop: "stop", length: "length", tool_calls: "tool_calls" },
  checkOther: checkEmbeddings,
});

async function checkEmbeddings({ meta }: Recording, post: Post): Promise<boolean> {
  if (meta.expected.embeddings === undefined) return false;
  const { vectors, usage, servedModel } = decodeEmbedding(await post("/embeddings"));
  expect(vectors).toHaveLength(meta.expected.embeddings);
  for (const vector of vectors) {
    expect(vector).toHaveLength(1024);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 1);
  }
  expect(usage).toMatchObject({ inputTokens: meta.expected.input_tokens, outputTokens: 0 });
  expect(servedModel).toBe(meta.expected.model ?? "mistral-embed");
  return true;
}
