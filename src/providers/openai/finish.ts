/** Why a model stopped, in the contract's words. */

const REASONS: ReadonlyMap<string, string> = new Map([
  ["stop", "stop"],
  ["length", "length"],
  // Mistral, when the model's context is full.
  ["model_length", "length"],
  ["tool_calls", "tool_calls"],
  ["function_call", "tool_calls"],
  ["content_filter", "content_filter"],
]);

/**
 * A reason that nobody knows yet is passed on as it is; `error` is a failure,
 * which whoever reads the reply must raise. With a forced tool
 * choice OpenAI says `stop` although the model called a tool.
 */
export function decodeFinishReason(said: string, calledTool: boolean): string {
  if (said === "stop" && calledTool) return "tool_calls";
  return REASONS.get(said) ?? said;
}
