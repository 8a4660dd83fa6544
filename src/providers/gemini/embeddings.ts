/** Gemini's `batchEmbedContents`: the request, and vectors out of the reply. */
import type { EmbedRequest } from "../../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { EmbeddingFormat, Embeddings, EmbedWish, WireBody } from "../dialect.ts";
import { addedFields } from "../extra_body.ts";
import { isObject, malformed, parseObject } from "../malformed.ts";
import { vectorOf } from "../vector.ts";
import type { Embedding, UsageMetadata } from "./api.ts";
import { classifyInReply } from "./classify.ts";
import { geminiResource } from "./resource.ts";
import { decodeUsage } from "./usage.ts";

/** https://ai.google.dev/gemini-api/docs/embeddings#supported-task-types */
export const TASK_TYPES: Readonly<Record<string, string>> = {
  query: "RETRIEVAL_QUERY",
  document: "RETRIEVAL_DOCUMENT",
  similarity: "SEMANTIC_SIMILARITY",
  classification: "CLASSIFICATION",
  clustering: "CLUSTERING",
  question_answering: "QUESTION_ANSWERING",
  fact_verification: "FACT_VERIFICATION",
  code_query: "CODE_RETRIEVAL_QUERY",
};

export const geminiEmbeddings: EmbeddingFormat = {
  // "at most 100 requests can be in one batch"
  maxTexts: 100,
  inputTypes: TASK_TYPES,
  encode: encodeEmbedding,
  decode: decodeEmbedding,
};

const RESERVED: readonly string[] = [
  "model",
  "content",
  "taskType",
  "task_type",
  "outputDimensionality",
  "output_dimensionality",
];

/** Each text is a request of its own, which names the model anew and has what the caller adds. */
export function encodeEmbedding(request: EmbedRequest, { model, texts, inputType }: EmbedWish): WireBody {
  const resource = geminiResource(model);
  const added = addedFields(request.extraBody, RESERVED);
  const requests = texts.map((text) => ({
    model: resource.slice(1),
    content: { parts: [{ text }] },
    taskType: inputType,
    outputDimensionality: request.dimensions,
    ...added,
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
export function decodeVectors(items: unknown, body: string): number[][] {
  if (!Array.isArray(items)) throw malformed("embeddings without a list", body);
  return items.map((item) => {
    const { values }: Embedding = isObject(item) ? item : {};
    const vector = vectorOf(values);
    if (!vector) throw malformed("not an embedding", body);
    return vector;
  });
}
