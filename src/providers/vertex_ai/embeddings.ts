/** Vertex AI's `predict` for embeddings: the request, and vectors out of the reply. */
import { usage } from "../../core/usage.ts";
import type { WireBody } from "../dialect.ts";
import type { EmbeddingRequest, Embeddings } from "../embedding.ts";
import type { Embedding } from "../gemini/api.ts";
import { classifyInReply } from "../gemini/classify.ts";
import { decodeVectors } from "../gemini/embeddings.ts";
import { isObject, malformed, parseObject } from "../malformed.ts";
import { count } from "../values.ts";

/** @param resource path of the model below the base URL */
export function encodeEmbedding({ input, dimensions }: EmbeddingRequest, resource: string): WireBody {
  const instances = input.map((content) => ({ content }));
  const parameters = dimensions === undefined ? undefined : { outputDimensionality: dimensions };
  return { path: `${resource}:predict`, body: JSON.stringify({ instances, parameters }) };
}

/** @throws Failure `malformed_reply`, or what an error inside the reply stands for */
export function decodeEmbedding(body: string): Embeddings {
  const reply: { readonly predictions?: unknown } = parseObject(body);
  const failure = classifyInReply(reply);
  if (failure) throw failure;
  if (!Array.isArray(reply.predictions)) throw malformed("embeddings without predictions", body);
  const embeddings = reply.predictions.map((prediction): Embedding => prediction?.embeddings);
  const counts = embeddings.map((embedding) => tokensOf(embedding));
  return {
    vectors: decodeVectors(embeddings, body),
    usage: counts.includes(undefined)
      ? undefined
      : usage("measured", { inputTokens: counts.reduce((sum: number, tokens = 0) => sum + tokens, 0) }),
    servedModel: "",
  };
}

function tokensOf(embedding: unknown): number | undefined {
  const { statistics }: Embedding = isObject(embedding) ? embedding : {};
  return count(statistics?.token_count ?? statistics?.tokenCount);
}
