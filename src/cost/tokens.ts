/** How many tokens a conversation has, before a provider counted them, by the lengths of all that is in it. */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Message } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { estimateTextTokens } from "../core/tokens.ts";

const TOKENS_PER_MESSAGE = 4;
/** What OpenAI charges for a mid-sized image in detail; others charge less. */
const TOKENS_PER_IMAGE = 765;

/**
 * Tokens that a provider will read for this request, tools and schema included.
 *
 * @param count asked for each text
 */
export function estimateInputTokens(
  request: ChatRequest,
  count: (text: string) => number = estimateTextTokens,
): number {
  let tokens = TOKENS_PER_MESSAGE;
  for (const message of request.messages) tokens += estimateMessage(message, count);
  for (const tool of request.tools) {
    tokens += count(tool.name + tool.description + tool.parametersJson);
    if (tool.parameters) tokens += count(JSON.stringify(tool.parameters));
  }
  const format = request.responseFormat;
  if (format) tokens += count(format.schemaJson || JSON.stringify(format.schema ?? ""));
  return tokens;
}

function estimateMessage(message: Message, count: (text: string) => number): number {
  let tokens = TOKENS_PER_MESSAGE + count(message.content);
  for (const { part } of message.parts) {
    switch (part.case) {
      case "text":
      case "refusal":
        tokens += count(part.value);
        break;
      case "image":
        tokens += TOKENS_PER_IMAGE;
        break;
      case "file":
        tokens += part.value.source.case === "data" ? Math.ceil(part.value.source.value.length / 4) : 0;
        break;
      case "toolCall":
        tokens += count(part.value.name + part.value.arguments + part.value.input);
        break;
      case "toolResult":
        tokens += count(part.value.content);
        break;
      case "reasoning":
        tokens += count(part.value.text);
        break;
    }
  }
  return tokens;
}
