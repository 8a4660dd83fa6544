/** A conversation of which only the words count, for models that take no more, and what of a request is refused for them. */
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Message } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { misplaced } from "../parts.ts";
import { refuseUnknown } from "./parameters.ts";

export interface Line {
  readonly role: "system" | "user" | "assistant";
  readonly text: string;
}

/** Instructions first; all that one speaker says until the other does is one line. */
export function linesOf(request: ChatRequest, wrong: Violation[]): Line[] {
  const system: Line[] = [];
  const talk: Line[] = [];
  request.messages.forEach((message, i) => {
    const text = wordsOf(message, `messages[${i}]`, wrong);
    if (message.role === "system" || message.role === "developer") system.push({ role: "system", text });
    else {
      const role = message.role === "assistant" ? "assistant" : "user";
      const last = talk.at(-1);
      if (last?.role === role) talk[talk.length - 1] = { role, text: `${last.text}\n\n${text}` };
      else talk.push({ role, text });
    }
  });
  return [...system, ...talk];
}

export function refuseBeyondText(
  { tools, toolChoice, responseFormat, parameters }: ChatRequest,
  unknown: readonly ("stop" | "top_k")[],
  wrong: Violation[],
): void {
  const refuse = (field: string) =>
    wrong.push({ field, description: "this model takes and writes text alone; leave it out" });
  if (tools.length > 0) refuse("tools");
  if (toolChoice && toolChoice !== "none") refuse("tool_choice");
  if (responseFormat && responseFormat.type !== "text") refuse("response_format");
  if (!parameters) return;
  refuseUnknown(parameters, wrong);
  if (parameters.stop.length > 0 && unknown.includes("stop")) refuse("parameters.stop");
  if (parameters.topK !== undefined && unknown.includes("top_k")) refuse("parameters.top_k");
  if (parameters.reasoningEffort) refuse("parameters.reasoning_effort");
  if (parameters.reasoningBudgetTokens !== undefined) refuse("parameters.reasoning_budget_tokens");
  if (parameters.serviceTier) refuse("parameters.service_tier");
}

/** Thoughts and citations are left out, as other models' formats have no place for them either. */
function wordsOf(message: Message, path: string, wrong: Violation[]): string {
  const words = message.content ? [message.content] : [];
  if (message.role === "tool")
    wrong.push({ field: `${path}.role`, description: "this model calls no tools" });
  message.parts.forEach((part, j) => {
    const { case: kind, value } = part.part;
    if (kind === "text" || kind === "refusal") words.push(value);
    else if (kind !== "reasoning" && kind !== "citation" && kind !== "providerPart")
      misplaced(part, `${path}.parts[${j}]`, message.role, wrong);
  });
  return words.join("\n\n");
}
