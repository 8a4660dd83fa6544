/** Google's `generateContent` as a dialect, for Gemini's own API and for Vertex AI. */
import type { Dialect, EmbeddingFormat } from "../dialect.ts";
import { classify } from "./classify.ts";
import { decodeReply, GeminiStream } from "./decode.ts";
import { encodeChat, type TierHeaders } from "./encode.ts";

/**
 * @param resourceOf the path of a model below the base URL
 * @param embeddings in which the two differ
 * @param tierHeaders where the service tier stands in no field of the body
 */
export function geminiDialect(
  resourceOf: (model: string) => string,
  embeddings: (model: string) => EmbeddingFormat,
  tierHeaders?: TierHeaders,
): Dialect {
  return {
    encode: (request, wish) => encodeChat(request, wish, resourceOf(wish.model), tierHeaders),
    decodeReply,
    decodeStream: (headers) => new GeminiStream(headers),
    classify,
    embeddings,
  };
}
