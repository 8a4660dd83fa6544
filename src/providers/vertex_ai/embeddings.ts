/** Vertex AI's `predict` for embeddings: the request, and vectors out of the reply. */
import type { EmbedRequest } from "../../../gen/ts/llmgateway/v1/embed_pb.ts";
import { usage } from "../../core/usage.ts";
import type { EmbeddingFormat, Embeddings, EmbedWish, WireBody } from "../dialect.ts";
import { addedFields } from "../extra_body.ts";
import type { Embedding } from "../gemini/api.ts";
import { classifyInReply } from "../gemini/classify.ts";
import { decodeVectors, TASK_TYPES } from "../gemini/embeddings.ts";
import { isObject, malformed, parseObject } from "../malformed.ts";
import { count } from "../values.ts";
import { EMBED_CONTENT, takesContent } from "./embed_content.ts";
import { vertexResource } from "./resource.ts";

const PREDICTED: EmbeddingFormat = {
  maxTexts: 250,
  // Vertex AI's own limit is 20,000 by its own count; the gateway's is an estimate.
  maxTokens: 15_000,
  inputTypes: TASK_TYPES,
  encode: encodeEmbedding,
  decode: decodeEmbedding,
};
const PREDICTED_ALONE: EmbeddingFormat = { ...PREDICTED, maxTexts: 1 };

/** https://cloud.google.com/vertex-ai/generative-ai/docs/embeddings/get-text-embeddings#api_limits */
export function vertexEmbeddings(model: string): EmbeddingFormat {
  if (takesContent(model)) return EMBED_CONTENT;
  return model.startsWith("gemini-embedding") ? PREDICTED_ALONE : PREDICTED;
}

const RESERVED: readonly string[] = ["instances"];
const RESERVED_PARAMETERS: readonly string[] = ["outputDimensionality", "output_dimensionality"];

/** What the caller adds to `parameters` stands beside what the gateway sets there. */
export function encodeEmbedding(request: EmbedRequest, { model, texts, inputType }: EmbedWish): WireBody {
  const { dimensions, extraBody } = request;
  const added: { readonly parameters?: unknown } = addedFields(extraBody, RESERVED);
  const parameters = {
    ...(dimensions === undefined ? {} : { outputDimensionality: dimensions }),
    ...addedFields(isObject(added.parameters) ? added.parameters : {}, RESERVED_PARAMETERS),
  };
  const body = {
    ...added,
    instances: texts.map((content) => ({ content, task_type: inputType })),
    parameters: Object.keys(parameters).length > 0 ? parameters : undefined,
  };
  return { path: `${vertexResource(model)}:predict`, body: JSON.stringify(body) };
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
