/** Why Claude stopped, in the contract's words. */

const REASONS: ReadonlyMap<string, string> = new Map([
  ["end_turn", "stop"],
  ["stop_sequence", "stop"],
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "length"],
  ["tool_use", "tool_calls"],
  ["pause_turn", "pause"],
  ["refusal", "content_filter"],
]);

/** A reason that nobody knows yet is passed on as it is. */
export function decodeFinishReason(said: string): string {
  return REASONS.get(said) ?? said;
}
