/** Google's `generateContent` as a dialect, for Gemini's own API and for Vertex AI. */
import type { Dialect } from "../dialect.ts";
import { classify } from "./classify.ts";
import { decodeReply, GeminiStream } from "./decode.ts";
import { encodeChat } from "./encode.ts";

/** @param resourceOf the path of a model below the base URL */
export function geminiDialect(resourceOf: (model: string) => string): Dialect {
  return {
    encode: (request, wish) => encodeChat(request, wish, resourceOf(wish.model)),
    decodeReply,
    decodeStream: (headers) => new GeminiStream(headers),
    classify,
  };
}

/** Gemini's own API. A tuned model is named with its collection: `tunedModels/mine`. */
export function geminiResource(model: string): string {
  const [, collection = "models", name = ""] = /^(?:(models|tunedModels)\/)?(.*)$/s.exec(model) ?? [];
  return `/${collection}/${encodeURIComponent(name)}`;
}
