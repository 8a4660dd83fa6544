/**
 * The conversation, for OpenAI's body. What one canonical message holds may be
 * several there, as each tool result is a message of its own.
 */
import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionContentPartText,
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
import { misplaced, toolResultsOf } from "../parts.ts";
import { encodeFile, encodeImage } from "./media.ts";

type Instructions = ChatCompletionSystemMessageParam | ChatCompletionDeveloperMessageParam;

export function encodeMessages(request: ChatRequest, wrong: Violation[]): ChatCompletionMessageParam[] {
  const freeText = new Set(request.tools.filter((tool) => tool.freeText).map((tool) => tool.name));
  return request.messages.flatMap((message, i) => encodeMessage(message, `messages[${i}]`, freeText, wrong));
}

function encodeMessage(
  message: Message,
  path: string,
  freeText: ReadonlySet<string>,
  wrong: Violation[],
): ChatCompletionMessageParam[] {
  const { role } = message;
  switch (role) {
    case "system":
    case "developer": {
      const wire: Instructions = { role, content: plain(texts(message, path, wrong)) ?? "" };
      return [named(wire, message)];
    }
    case "user":
      return [named(encodeUser(message, path, wrong), message)];
    case "assistant":
      return [named(encodeAssistant(message, path, freeText, wrong), message)];
    case "tool":
      return encodeToolResults(message, path, wrong);
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
  const content: Exclude<ChatCompletionUserMessageParam["content"], string> = [];
  if (message.content) content.push(text(message.content));
  message.parts.forEach((part, j) => {
    const at = `${path}.parts[${j}]`;
    if (part.part.case === "text") content.push(text(part.part.value));
    else if (part.part.case === "image") content.push(encodeImage(part.part.value, `${at}.image`, wrong));
    else if (part.part.case === "file") content.push(encodeFile(part.part.value, `${at}.file`, wrong));
    else misplaced(part, at, message.role, wrong);
  });
  const words = content.filter((part) => part.type === "text");
  return { role: "user", content: words.length === content.length ? (plain(words) ?? "") : content };
}

/** OpenAI's chat completions take them not back, and DeepSeek refuses reasoning. */
const LEFT_OUT: ReadonlySet<Part["part"]["case"]> = new Set(["reasoning", "citation", "providerPart"]);

/**
 * Reasoning, citations and what only another provider understands are left out. A refusal stands where the provider's own reply has it.
 */
function encodeAssistant(
  message: Message,
  path: string,
  freeText: ReadonlySet<string>,
  wrong: Violation[],
): ChatCompletionAssistantMessageParam {
  const calls: ChatCompletionMessageToolCall[] = [];
  let refusal = "";
  const words = texts(message, path, wrong, (part, at) => {
    if (part.part.case === "toolCall") {
      calls.push(encodeToolCall(part.part.value, `${at}.tool_call`, freeText, wrong));
    } else if (part.part.case === "refusal") {
      refusal += part.part.value;
    } else {
      return LEFT_OUT.has(part.part.case);
    }
    return true;
  });
  const content = plain(words) ?? (calls.length > 0 || refusal ? null : "");
  const wire: ChatCompletionAssistantMessageParam = { role: "assistant", content };
  if (refusal) wire.refusal = refusal;
  if (calls.length > 0) wire.tool_calls = calls;
  return wire;
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
  wrong: Violation[],
): ChatCompletionToolMessageParam[] {
  return toolResultsOf(message, path, wrong).map(({ result }) => ({
    role: "tool",
    tool_call_id: result.toolCallId,
    content: result.content,
  }));
}

/** The text of a message, `content` first; what else there is, `other` takes or leaves. */
function texts(
  message: Message,
  path: string,
  wrong: Violation[],
  other: (part: Part, path: string) => boolean = () => false,
): ChatCompletionContentPartText[] {
  const words = message.content ? [text(message.content)] : [];
  message.parts.forEach((part, j) => {
    const at = `${path}.parts[${j}]`;
    if (part.part.case === "text") words.push(text(part.part.value));
    else if (!other(part, at)) misplaced(part, at, message.role, wrong);
  });
  return words;
}

/** A single text as a plain string, which every compatible server understands. */
function plain(words: ChatCompletionContentPartText[]): string | ChatCompletionContentPartText[] | undefined {
  return words.length > 1 ? words : words[0]?.text;
}

function text(value: string): ChatCompletionContentPartText {
  return { type: "text", text: value };
}
