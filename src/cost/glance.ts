/** How long a request is at most, told at a glance: it reads nothing, and knows no model. */
import type { ModelRequest } from "../core/call.ts";

/** Tokens that no model makes more of; infinite where there is more in it than text. */
export function mostTokens(request: ModelRequest): number {
  if (request.$typeName === "llmgateway.v1.EmbedRequest" || request.extraBody)
    return Number.POSITIVE_INFINITY;
  const { messages, tools, responseFormat } = request;
  if (tools.length > 0 || responseFormat) return Number.POSITIVE_INFINITY;
  let letters = 0;
  for (const { content, name, parts } of messages) {
    letters += content.length + name.length;
    for (const { part } of parts) {
      if (part.case !== "text") return Number.POSITIVE_INFINITY;
      letters += part.value.length;
    }
  }
  return letters * BYTES_PER_LETTER + (messages.length + 1) * AROUND_MESSAGE;
}

/** In UTF-8, for each half of a pair at most; and no tokenizer makes more tokens than there are bytes. */
const BYTES_PER_LETTER = 3;
/** Roles and separators. */
const AROUND_MESSAGE = 50;
