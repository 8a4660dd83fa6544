/** Anthropic's messages as a dialect, for Anthropic itself and for the platforms that serve Claude. */
import type { Dialect } from "../dialect.ts";
import { classify } from "./classify.ts";
import { decodeReply } from "./decode.ts";
import { encodeChat } from "./encode.ts";
import { ClaudeStream } from "./stream.ts";
import type { ClaudeTraits } from "./traits.ts";

export function claudeDialect(traits: ClaudeTraits): Dialect {
  return {
    encode: (request, wish) => encodeChat(request, wish, traits),
    decodeReply,
    decodeStream: () => new ClaudeStream(),
    classify,
  };
}
