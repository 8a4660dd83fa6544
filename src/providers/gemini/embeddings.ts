/** Gemini's `batchEmbedContents`: the request, and vectors out of the reply. */
import type { WireBody } from "../dialect.ts";
import { type EmbeddingRequest, type Embeddings, vectorOf } from "../embedding.ts";
import { isObject, malformed, parseObject } from "../malformed.ts";
import type { Embedding, UsageMetadata } from "./api.ts";
import { classifyInReply } from "./classify.ts";
import { geminiResource } from "./dialect.ts";
import { decodeUsage } from "./usage.ts";

/** Each text is a request of its own, and names the model anew. */
export function encodeEmbedding({ model, input, dimensions }: EmbeddingRequest): WireBody {
  const resource = geminiResource(model);
  const requests = input.map((text) => ({
    model: resource.slice(1),
    content: { parts: [{ text }] },
    outputDimensionality: dimensions,
  }));
  return { path: `${resource}:batchEmbedContents`, body: JSON.stringify({ requests }) };
}

/**
 * Most models report no usage here; it is then for the gateway to estimate.
 *
 * @throws Failure `malformed_reply`, or what an error inside the reply stands for
 */
export function decodeEmbedding(body: string): Embeddings {
  const reply: { readonly embeddings?: unknown; readonly usageMetadata?: unknown } = parseObject(body);
  const failure = classifyInReply(reply);
  if (failure) throw failure;
  const { embeddings, usageMetadata } = reply;
  return {
    vectors: decodeVectors(embeddings, body),
    usage: isObject(usageMetadata) ? decodeUsage(usageMetadata as UsageMetadata, undefined) : undefined,
    servedModel: "",
  };
}

/** @throws Failure `malformed_reply` unless each item holds a vector */
export function decodeVectors(items: unknown, body: string): Float32Array[] {
  if (!Array.isArray(items)) throw malformed("embeddings without a list", body);
  return items.map((item) => {
    const { values }: Embedding = isObject(item) ? item : {};
    const vector = vectorOf(values);
    if (!vector) throw malformed("not an embedding", body);
    return vector;
  });
}
