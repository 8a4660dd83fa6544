/** OpenAI's chat completions as a dialect, for OpenAI itself and for all who speak like it. */
import type { Dialect, EmbeddingFormat, WireBody } from "../dialect.ts";
import { classify } from "./classify.ts";
import { decodeReply } from "./decode.ts";
import { openaiEmbeddings } from "./embeddings.ts";
import { encodeChat } from "./encode.ts";
import { OpenAiStream } from "./stream.ts";
import type { OpenAiTraits } from "./traits.ts";

export function openaiDialect(traits: OpenAiTraits): Dialect {
  const at = (model: string, wire: WireBody): WireBody =>
    traits.deployments ? { ...wire, path: `/deployments/${encodeURIComponent(model)}${wire.path}` } : wire;
  const embeddings: EmbeddingFormat = {
    ...openaiEmbeddings,
    encode: (request, wish) => at(wish.model, openaiEmbeddings.encode(request, wish)),
  };
  return {
    encode: (request, wish) => at(wish.model, encodeChat(request, wish, traits)),
    decodeReply: (body) => decodeReply(body),
    decodeStream: () => new OpenAiStream(),
    classify,
    embeddings: () => embeddings,
  };
}
