/** Vertex AI's `embedContent`, which its newer models for embeddings take in place of `predict`: one text at a time. */
import type { EmbedRequest } from "../../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { EmbeddingFormat, Embeddings, EmbedWish, WireBody } from "../dialect.ts";
import { addedFields } from "../extra_body.ts";
import type { UsageMetadata } from "../gemini/api.ts";
import { classifyInReply } from "../gemini/classify.ts";
import { decodeVectors, TASK_TYPES } from "../gemini/embeddings.ts";
import { decodeUsage } from "../gemini/usage.ts";
import { isObject, parseObject } from "../malformed.ts";
import { vertexResource } from "./resource.ts";

export const EMBED_CONTENT: EmbeddingFormat = {
  maxTexts: 1,
  inputTypes: TASK_TYPES,
  encode: encodeEmbedding,
  decode: decodeEmbedding,
};

/** As Google's own client has it. */
export function takesContent(model: string): boolean {
  return (model.startsWith("gemini-") && model !== "gemini-embedding-001") || model.includes("maas");
}

const RESERVED: readonly string[] = ["content"];
const RESERVED_CONFIG: readonly string[] = [
  "taskType",
  "task_type",
  "outputDimensionality",
  "output_dimensionality",
];

/** What the caller adds to `embedContentConfig` stands beside what the gateway sets there. */
function encodeEmbedding(request: EmbedRequest, { model, texts, inputType }: EmbedWish): WireBody {
  const { dimensions, extraBody } = request;
  const added: { readonly embedContentConfig?: unknown } = addedFields(extraBody, RESERVED);
  const config = {
    taskType: inputType,
    outputDimensionality: dimensions,
    ...addedFields(isObject(added.embedContentConfig) ? added.embedContentConfig : {}, RESERVED_CONFIG),
  };
  const body = {
    ...added,
    content: { parts: texts.map((text) => ({ text })) },
    embedContentConfig: Object.values(config).some((value) => value !== undefined) ? config : undefined,
  };
  return { path: `${vertexResource(model)}:embedContent`, body: JSON.stringify(body) };
}

/** @throws Failure `malformed_reply`, or what an error inside the reply stands for */
function decodeEmbedding(body: string): Embeddings {
  const reply: { readonly embedding?: unknown; readonly usageMetadata?: unknown } = parseObject(body);
  const failure = classifyInReply(reply);
  if (failure) throw failure;
  const { embedding, usageMetadata } = reply;
  return {
    vectors: decodeVectors([embedding], body),
    usage: isObject(usageMetadata) ? decodeUsage(usageMetadata as UsageMetadata, undefined) : undefined,
    servedModel: "",
  };
}
