/** The conversation, for Mistral's body. */
import type {
  AssistantMessage$Outbound,
  ChatCompletionRequestMessage$Outbound,
} from "@mistralai/mistralai/models/components";
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Message } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { plain, texts, userContent } from "../openai/content.ts";
import { toolResultsOf } from "../parts.ts";
import { encodeAssistant } from "./assistant.ts";
import { callId } from "./call_id.ts";
import { encodeDocument } from "./media.ts";

type Wire = ChatCompletionRequestMessage$Outbound;

/**
 * Names of speakers are left out, as Mistral knows none. An answer that stands
 * last is one to be gone on with, which Mistral wants to be told.
 */
export function encodeMessages(request: ChatRequest, wrong: Violation[]): Wire[] {
  const wire = request.messages.flatMap((message, i) => encodeMessage(message, `messages[${i}]`, wrong));
  const last = wire.at(-1);
  if (last?.role === "assistant" && !last.tool_calls) (last as AssistantMessage$Outbound).prefix = true;
  return wire;
}

function encodeMessage(message: Message, path: string, wrong: Violation[]): Wire[] {
  switch (message.role) {
    case "system":
    // Mistral has one role for both.
    case "developer":
      return [{ role: "system", content: plain(texts(message, path, wrong)) ?? "" }];
    case "user":
      return [{ role: "user", content: userContent(message, path, wrong, encodeDocument) }];
    case "assistant":
      return [encodeAssistant(message, path, wrong)];
    case "tool":
      // Its name may stay away: mistral/chat-cached-input was recorded without.
      return toolResultsOf(message, path, wrong).map(({ result }) => ({
        role: "tool",
        tool_call_id: callId(result.toolCallId),
        content: result.content,
      }));
    default:
      wrong.push({ field: `${path}.role`, description: `"${message.role}" is no role` });
      return [];
  }
}
