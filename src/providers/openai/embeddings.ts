/** OpenAI's `POST /embeddings`: the request, and vectors out of the reply. */

import type { CompletionUsage } from "openai/resources/completions";
import type { EmbeddingCreateParams } from "openai/resources/embeddings";
import type { WireBody } from "../dialect.ts";
import { type EmbeddingRequest, type Embeddings, vectorOf } from "../embedding.ts";
import { isObject, malformed, parseObject } from "../malformed.ts";
import { classifyInReply } from "./classify.ts";
import { decodeUsage } from "./usage.ts";

interface Reply {
  readonly data?: unknown;
  readonly model?: unknown;
  readonly usage?: Partial<CompletionUsage>;
}

/** Base64 is a third of the size of numbers in JSON; a server that does not know it sends those. */
export function encodeEmbedding({ model, input, dimensions }: EmbeddingRequest): WireBody {
  const body: EmbeddingCreateParams = { model, input: [...input], encoding_format: "base64" };
  if (dimensions !== undefined) body.dimensions = dimensions;
  return { path: "/embeddings", body: JSON.stringify(body) };
}

/** @throws Failure `malformed_reply`, or what an `error` inside the reply stands for */
export function decodeEmbedding(body: string): Embeddings {
  const reply: Reply = parseObject(body);
  const failure = classifyInReply(reply);
  if (failure) throw failure;
  if (!Array.isArray(reply.data)) throw malformed("embeddings without data", body);
  const vectors: Float32Array[] = [];
  for (const [place, item] of reply.data.entries()) {
    const { index = place, embedding }: { index?: unknown; embedding?: unknown } = isObject(item) ? item : {};
    const vector = decodeVector(embedding);
    if (!vector || !Number.isInteger(index) || vectors[index as number])
      throw malformed("not an embedding", body);
    vectors[index as number] = vector;
  }
  if (vectors.length !== reply.data.length) throw malformed("embeddings out of order", body);
  return {
    vectors,
    usage: reply.usage ? decodeUsage(reply.usage, undefined) : undefined,
    servedModel: typeof reply.model === "string" ? reply.model : "",
  };
}

function decodeVector(embedding: unknown): Float32Array | undefined {
  if (typeof embedding !== "string") return vectorOf(embedding);
  const bytes = Buffer.from(embedding, "base64");
  if (bytes.length === 0 || bytes.length % 4 !== 0) return undefined;
  const vector = new Float32Array(bytes.length / 4);
  for (let i = 0; i < vector.length; i++) vector[i] = bytes.readFloatLE(i * 4);
  return vector;
}
