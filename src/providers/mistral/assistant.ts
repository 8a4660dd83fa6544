/** What the assistant said earlier, for Mistral's body: the chunks that it came in, in their order. */
import type {
  AssistantMessage$Outbound,
  ContentChunk$Outbound,
  ThinkChunk$Outbound,
  ToolCall$Outbound,
} from "@mistralai/mistralai/models/components";
import type { Message, Part, Reasoning, ToolCall } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { isObject } from "../malformed.ts";
import { text } from "../openai/content.ts";
import { misplaced } from "../parts.ts";
import { callId } from "./call_id.ts";
import { MISTRAL } from "./choice.ts";

type Chunk = ContentChunk$Outbound;

/** Thoughts come first in `parts` even when they were thought before what stands in `content`. */
export function encodeAssistant(
  message: Message,
  path: string,
  wrong: Violation[],
): AssistantMessage$Outbound {
  const { content, parts } = message;
  const chunks: Chunk[] = [];
  const calls: ToolCall$Outbound[] = [];
  const behindThoughts = parts.findIndex(({ part }) => part.case !== "reasoning");
  parts.forEach((part, j) => {
    if (content && j === behindThoughts) chunks.push(text(content));
    const at = `${path}.parts[${j}]`;
    if (part.part.case === "toolCall")
      calls.push(encodeToolCall(part.part.value, calls.length, `${at}.tool_call`, wrong));
    else chunks.push(...chunksOf(part, at, wrong));
  });
  if (content && behindThoughts < 0) chunks.push(text(content));
  const [only] = chunks;
  const said = chunks.length === 1 && only?.type === "text" ? only.text : chunks;
  const wire: AssistantMessage$Outbound = {
    role: "assistant",
    content: chunks.length > 0 ? said : "",
    prefix: false,
  };
  if (calls.length > 0) wire.tool_calls = calls;
  return wire;
}

/** Mistral has no place for a refusal, which is then said like anything else. What only another provider understands is left out. */
function chunksOf(part: Part, path: string, wrong: Violation[]): Chunk[] {
  switch (part.part.case) {
    case "text":
    case "refusal":
      return [text(part.part.value)];
    case "reasoning":
      return encodeThought(part.part.value);
    case "citation": {
      const chunk = parsed(part.part.value.providerJson);
      return chunk?.type === "reference" ? [chunk] : [];
    }
    case "providerPart": {
      const { provider, json } = part.part.value;
      if (provider !== MISTRAL) return [];
      const chunk = parsed(json);
      if (chunk) return [chunk];
      wrong.push({ field: `${path}.provider_part.json`, description: "must be the chunk as it came" });
      return [];
    }
    default:
      misplaced(part, path, "assistant", wrong);
      return [];
  }
}

/** As they came whole: mistral/chat-thinking, and the conversation that went on from it. */
function encodeThought({ text: thought, signature }: Reasoning): Chunk[] {
  if (!thought && !signature) return [];
  const chunk: ThinkChunk$Outbound = { type: "thinking", thinking: thought ? [text(thought)] : [] };
  if (signature) chunk.signature = signature;
  chunk.closed = true;
  return [chunk];
}

function encodeToolCall(call: ToolCall, index: number, path: string, wrong: Violation[]): ToolCall$Outbound {
  const { id, name, input, arguments: args } = call;
  if (!id) wrong.push({ field: `${path}.id`, description: "the provider ties results to calls by their id" });
  if (!name) wrong.push({ field: `${path}.name`, description: "a call names its tool" });
  if (input)
    wrong.push({ field: `${path}.input`, description: "the provider's tools take JSON: send arguments" });
  return { id: callId(id), type: "function", function: { name, arguments: args || "{}" }, index };
}

function parsed(json: string): Chunk | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) && "type" in value ? (value as Chunk) : undefined;
  } catch {
    return undefined;
  }
}
