/**
 * What of a request may be said in other words, and what is left when that is taken out. Whether two texts say the same
 * is for others to judge.
 */
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Message } from "../../../gen/ts/llmgateway/v1/message_pb.ts";

export interface Compared {
  /** What the user said last. */
  readonly text: string;
  /** The same request without it: requests that differ only in the text have equal ones. */
  readonly frame: ChatRequest;
}

/** @returns undefined for a request of which no text may be compared */
export function comparedIn(request: ChatRequest, maxLength: number): Compared | undefined {
  const { messages } = request;
  // Several choices are wanted different from each other.
  if ((request.parameters?.choices ?? 1) > 1) return undefined;
  const last = messages.at(-1);
  if (last?.role !== "user") return undefined;
  const text = textOf(last);
  if (text === undefined || text.trim() === "" || text.length > maxLength) return undefined;
  const emptied: Message = { ...last, content: "", parts: [] };
  return { text, frame: { ...request, messages: [...messages.slice(0, -1), emptied] } };
}

/** Undefined when it says more than text. */
function textOf({ content, parts }: Message): string | undefined {
  const texts = content === "" ? [] : [content];
  for (const { part } of parts) {
    if (part.case !== "text") return undefined;
    texts.push(part.value);
  }
  return texts.join("\n");
}
