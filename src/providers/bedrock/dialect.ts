/** Bedrock's Converse, and the models' own formats on InvokeModel, as a dialect. */
import type { Dialect } from "../dialect.ts";
import { classify } from "./classify.ts";
import { decodeReply } from "./decode.ts";
import { bedrockEmbeddings } from "./embeddings.ts";
import { encodeChat } from "./encode.ts";
import { BedrockStream } from "./stream.ts";

export function bedrockDialect(): Dialect {
  return {
    encode: encodeChat,
    decodeReply,
    decodeStream: (headers) => new BedrockStream(headers),
    classify,
    embeddings: bedrockEmbeddings,
  };
}
