/**
 * The conversation, for OpenAI's body. What one canonical message holds may be
 * several there, as each tool result is a message of its own.
 */
import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionDeveloperMessageParam,
  ChatCompletionMessageParam,
  ChatCompletionMessageToolCall,
  ChatCompletionSystemMessageParam,
  ChatCompletionToolMessageParam,
  ChatCompletionUserMessageParam,
} from "openai/resources/chat/completions";
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Message, Part, ToolCall } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { shortCallId } from "../call_id.ts";
import { toolResultsOf } from "../parts.ts";
import { plain, texts, userContent } from "./content.ts";
import { encodeFile } from "./media.ts";
import type { OpenAiTraits } from "./traits.ts";

type Instructions = ChatCompletionSystemMessageParam | ChatCompletionDeveloperMessageParam;
/** With its thoughts, as DeepSeek and OpenRouter want them back. */
type Assistant = ChatCompletionAssistantMessageParam & { reasoning_content?: string; reasoning?: string };

export function encodeMessages(
  request: ChatRequest,
  traits: OpenAiTraits,
  wrong: Violation[],
): ChatCompletionMessageParam[] {
  const freeText = new Set(request.tools.filter((tool) => tool.freeText).map((tool) => tool.name));
  return request.messages.flatMap((message, i) =>
    encodeMessage(message, `messages[${i}]`, freeText, traits, wrong),
  );
}

function encodeMessage(
  message: Message,
  path: string,
  freeText: ReadonlySet<string>,
  traits: OpenAiTraits,
  wrong: Violation[],
): ChatCompletionMessageParam[] {
  const { role } = message;
  switch (role) {
    case "system":
    case "developer": {
      const wire: Instructions = {
        role: traits.developerRole === false ? "system" : role,
        content: plain(texts(message, path, wrong)) ?? "",
      };
      return [named(wire, message)];
    }
    case "user":
      return [named(encodeUser(message, path, wrong), message)];
    case "assistant":
      return [named(encodeAssistant(message, path, freeText, traits, wrong), message)];
    case "tool":
      return encodeToolResults(message, path, traits, wrong);
    default:
      wrong.push({ field: `${path}.role`, description: `"${role}" is no role` });
      return [];
  }
}

function named<M extends { name?: string }>(wire: M, message: Message): M {
  if (message.name) wire.name = message.name;
  return wire;
}

function encodeUser(message: Message, path: string, wrong: Violation[]): ChatCompletionUserMessageParam {
  return { role: "user", content: userContent(message, path, wrong, encodeFile) };
}

/** OpenAI's chat completions take them not back; of thoughts, see `thoughtsField`. */
const LEFT_OUT: ReadonlySet<Part["part"]["case"]> = new Set(["reasoning", "citation", "providerPart"]);

/** Citations and what only another provider understands are left out. A refusal stands where the provider's own reply has it. */
function encodeAssistant(
  message: Message,
  path: string,
  freeText: ReadonlySet<string>,
  { thoughtsField, maxCallIdChars }: OpenAiTraits,
  wrong: Violation[],
): Assistant {
  const calls: ChatCompletionMessageToolCall[] = [];
  let refusal = "";
  const words = texts(message, path, wrong, (part, at) => {
    if (part.part.case === "toolCall") {
      const id = shortCallId(part.part.value.id, maxCallIdChars);
      calls.push(encodeToolCall({ ...part.part.value, id }, `${at}.tool_call`, freeText, wrong));
    } else if (part.part.case === "refusal") {
      refusal += part.part.value;
    } else {
      return LEFT_OUT.has(part.part.case);
    }
    return true;
  });
  const content = plain(words) ?? (calls.length > 0 || refusal ? null : "");
  const wire: Assistant = { role: "assistant", content };
  if (refusal) wire.refusal = refusal;
  if (calls.length > 0) wire.tool_calls = calls;
  const thoughts = thoughtsField && thoughtsOf(message);
  if (thoughts) wire[thoughtsField] = thoughts;
  return wire;
}

function thoughtsOf({ parts }: Message): string {
  return parts.map(({ part }) => (part.case === "reasoning" ? part.value.text : "")).join("");
}

/** Without arguments a function is called with `{}`: some compatible servers parse them. */
function encodeToolCall(
  call: ToolCall,
  path: string,
  freeText: ReadonlySet<string>,
  wrong: Violation[],
): ChatCompletionMessageToolCall {
  const { id, name } = call;
  if (!id) wrong.push({ field: `${path}.id`, description: "the provider ties results to calls by their id" });
  if (!name) wrong.push({ field: `${path}.name`, description: "a call names its tool" });
  if (freeText.has(name) || (call.input && !call.arguments)) {
    return { type: "custom", id, custom: { name, input: call.input } };
  }
  return { type: "function", id, function: { name, arguments: call.arguments || "{}" } };
}

/** OpenAI has no mark for a failed tool, so that `is_error` is for the result's text to say. */
function encodeToolResults(
  message: Message,
  path: string,
  { maxCallIdChars }: OpenAiTraits,
  wrong: Violation[],
): ChatCompletionToolMessageParam[] {
  return toolResultsOf(message, path, wrong).map(({ result }) => ({
    role: "tool",
    tool_call_id: shortCallId(result.toolCallId, maxCallIdChars),
    content: result.content,
  }));
}
