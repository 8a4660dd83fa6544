/** The request of Mistral's `POST /embeddings`; its reply is OpenAI's. */
import type { EmbeddingRequest$Outbound } from "@mistralai/mistralai/models/components";
import type { EmbedRequest } from "../../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { EmbeddingFormat, EmbedWish, WireBody } from "../dialect.ts";
import { addedFields } from "../extra_body.ts";
import { decodeEmbedding } from "../openai/embeddings.ts";

export const mistralEmbeddings: EmbeddingFormat = {
  // As recorded, 257 are "Too many inputs in request".
  maxTexts: 256,
  // "Too many tokens in batch. Max is 16384": by Mistral's count, and the gateway's is an estimate.
  maxTokens: 12_000,
  encode: encodeEmbedding,
  decode: decodeEmbedding,
};

const RESERVED: readonly string[] = ["model", "input", "output_dimension", "output_dtype", "encoding_format"];

/** Numbers come as JSON: the SDK's types know base64 in the request, but not in the reply. */
export function encodeEmbedding(request: EmbedRequest, { model, texts }: EmbedWish): WireBody {
  const { dimensions, extraBody } = request;
  const added = addedFields(extraBody, RESERVED);
  const body: EmbeddingRequest$Outbound = { model, input: [...texts] };
  if (dimensions !== undefined) body.output_dimension = dimensions;
  return { path: "/embeddings", body: JSON.stringify({ ...body, ...added }) };
}
