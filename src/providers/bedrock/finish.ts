/** Why a model stopped, in the contract's words: from Converse, and from the models' own formats. */

const REASONS: ReadonlyMap<string, string> = new Map([
  ["end_turn", "stop"],
  ["stop_sequence", "stop"],
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "length"],
  ["tool_use", "tool_calls"],
  ["content_filtered", "content_filter"],
  ["guardrail_intervened", "content_filter"],
  // Llama and Mistral.
  ["stop", "stop"],
  ["length", "length"],
  // Titan.
  ["finish", "stop"],
  ["finished", "stop"],
  ["stop_criteria_met", "stop"],
]);

/** A reason that nobody knows yet is passed on as it is. */
export function decodeFinishReason(said: string): string {
  return REASONS.get(said.toLowerCase()) ?? said;
}
