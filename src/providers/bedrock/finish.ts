/** Why a model stopped, in the contract's words: from Converse, which says it as Claude does, and from other formats. */
import { decodeFinishReason as decodeClaudes } from "../claude/finish.ts";

const REASONS: ReadonlyMap<string, string> = new Map([
  ["content_filtered", "content_filter"],
  ["guardrail_intervened", "content_filter"],
  // Titan.
  ["finish", "stop"],
  ["finished", "stop"],
  ["stop_criteria_met", "stop"],
]);

/** Titan shouts. A reason that nobody knows yet is passed on as it is; those of Llama and Mistral are the contract's. */
export function decodeFinishReason(said: string): string {
  const reason = said.toLowerCase();
  return REASONS.get(reason) ?? decodeClaudes(reason);
}
