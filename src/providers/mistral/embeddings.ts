/** The request of Mistral's `POST /embeddings`; its reply is OpenAI's. */
import type { EmbeddingRequest$Outbound } from "@mistralai/mistralai/models/components";
import type { WireBody } from "../dialect.ts";
import type { EmbeddingRequest } from "../embedding.ts";

/** Numbers come as JSON: the SDK's types know base64 in the request, but not in the reply. */
export function encodeEmbedding({ model, input, dimensions }: EmbeddingRequest): WireBody {
  const body: EmbeddingRequest$Outbound = { model, input: [...input] };
  if (dimensions !== undefined) body.output_dimension = dimensions;
  return { path: "/embeddings", body: JSON.stringify(body) };
}
