/** Mistral's chat completions as a dialect: OpenAI's, but for what stands beside it in this folder. */
import type { Dialect } from "../dialect.ts";
import { decodeReply } from "../openai/decode.ts";
import { OpenAiStream } from "../openai/stream.ts";
import { MistralChoice } from "./choice.ts";
import { classify } from "./classify.ts";
import { mistralEmbeddings } from "./embeddings.ts";
import { encodeChat } from "./encode.ts";

export const mistralDialect: Dialect = {
  encode: encodeChat,
  decodeReply: (body) => decodeReply(body, MistralChoice),
  decodeStream: () => new OpenAiStream(MistralChoice),
  classify,
  embeddings: () => mistralEmbeddings,
};
