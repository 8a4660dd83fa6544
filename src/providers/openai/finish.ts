/** Why a model stopped, in the contract's words. */

const REASONS: ReadonlyMap<string, string> = new Map([
  ["stop", "stop"],
  ["length", "length"],
  ["tool_calls", "tool_calls"],
  ["function_call", "tool_calls"],
  ["content_filter", "content_filter"],
]);

/**
 * A reason that nobody knows yet is passed on as it is. With a forced tool
 * choice OpenAI says `stop` although the model called a tool.
 */
export function decodeFinishReason(said: string, calledTool: boolean): string {
  if (said === "stop" && calledTool) return "tool_calls";
  return REASONS.get(said) ?? said;
}
