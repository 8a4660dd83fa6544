/** How many tokens a conversation has, before a provider counted them, by the lengths of all that is in it. */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Message } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { estimateTextTokens } from "../core/tokens.ts";

const TOKENS_PER_MESSAGE = 4;
/** What OpenAI charges for a mid-sized image in detail; others charge less. */
const TOKENS_PER_IMAGE = 765;

/** Tokens that a provider will read for this request, tools and schema included. */
export function estimateInputTokens(request: ChatRequest): number {
  let tokens = TOKENS_PER_MESSAGE;
  for (const message of request.messages) tokens += estimateMessage(message);
  for (const tool of request.tools) {
    tokens += estimateTextTokens(tool.name + tool.description + tool.parametersJson);
    if (tool.parameters) tokens += estimateTextTokens(JSON.stringify(tool.parameters));
  }
  const format = request.responseFormat;
  if (format) tokens += estimateTextTokens(format.schemaJson || JSON.stringify(format.schema ?? ""));
  return tokens;
}

function estimateMessage(message: Message): number {
  let tokens = TOKENS_PER_MESSAGE + estimateTextTokens(message.content);
  for (const { part } of message.parts) {
    switch (part.case) {
      case "text":
      case "refusal":
        tokens += estimateTextTokens(part.value);
        break;
      case "image":
        tokens += TOKENS_PER_IMAGE;
        break;
      case "file":
        tokens += part.value.source.case === "data" ? Math.ceil(part.value.source.value.length / 4) : 0;
        break;
      case "toolCall":
        tokens += estimateTextTokens(part.value.name + part.value.arguments + part.value.input);
        break;
      case "toolResult":
        tokens += estimateTextTokens(part.value.content);
        break;
      case "reasoning":
        tokens += estimateTextTokens(part.value.text);
        break;
    }
  }
  return tokens;
}
