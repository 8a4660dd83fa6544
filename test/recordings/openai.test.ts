/** OpenAI and Azure, as they were recorded. */
import { expect } from "vitest";
import { openaiDialect } from "../../src/providers/openai/dialect.ts";
import { decodeEmbedding } from "../../src/providers/openai/embeddings.ts";
import { FOLDERS, type Recording } from "./recordings.ts";
import { type Post, replaySuite } from "./suite.ts";

replaySuite({
  title: "OpenAI and Azure",
  providers: FOLDERS.openai,
  dialectFor: () => openaiDialect({ maxTokensField: "max_completion_tokens", streamUsage: true }),
  failures: {
    "openai/error-400-embeddings": { kind: "provider_bad_request" },
    "openai/error-400-empty-messages": { kind: "provider_bad_request" },
    "openai/error-400-unsupported-parameter": { kind: "provider_bad_request" },
    "openai/error-401": { kind: "provider_auth" },
    "openai/error-404-model": { kind: "model_not_found" },
    "openai/error-404-on-stream-request": { kind: "model_not_found" },
    "azure-openai/error-401": { kind: "provider_auth" },
    "azure-openai/error-404-deployment": { kind: "model_not_found" },
    "azure-openai/error-429": { kind: "provider_rate_limited", retryAfterMs: 1000 },
  },
  finishReasons: {
    stop: "stop",
    length: "length",
    tool_calls: "tool_calls",
    function_call: "tool_calls",
    content_filter: "content_filter",
  },
  checkOther: checkEmbeddings,
});

async function checkEmbeddings({ meta, request }: Recording, post: Post): Promise<boolean> {
  if (meta.expected.embeddings === undefined) return false;
  const body = await post("/embeddings");
  const { vectors, usage, servedModel } = decodeEmbedding(body);
  const asked: { dimensions?: number } = JSON.parse(request ?? "{}");
  expect(vectors).toHaveLength(meta.expected.embeddings ?? 0);
  // Both are text-embedding-3-small, whose vectors have length 1 whatever their dimensions.
  for (const vector of vectors) {
    expect(vector).toHaveLength(asked.dimensions ?? 1536);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 3);
  }
  expect(usage?.inputTokens).toBe(meta.expected.input_tokens);
  expect(usage?.totalTokens).toBe(meta.expected.input_tokens);
  expect(servedModel).toBe(meta.expected.model);
  return true;
}
