/** Why a model stopped, in the contract's words. */

const REASONS: ReadonlyMap<string, string> = new Map([
  ["stop", "stop"],
  // Together, when the model ended by itself.
  ["eos", "stop"],
  ["length", "length"],
  // Mistral, when the model's context is full.
  ["model_length", "length"],
  ["tool_calls", "tool_calls"],
  ["function_call", "tool_calls"],
  ["content_filter", "content_filter"],
]);

/**
 * A reason that nobody knows yet is passed on as it is. With a forced tool
 * choice OpenAI says `stop` although the model called a tool.
 */
export function decodeFinishReason(said: string, calledTool: boolean): string {
  const reason = REASONS.get(said) ?? said;
  return reason === "stop" && calledTool ? "tool_calls" : reason;
}

/** Mistral, OpenRouter and vLLM; the other one is DeepSeek, which had nothing left to go on with. */
const BROKEN: ReadonlySet<unknown> = new Set(["error", "insufficient_system_resource"]);

/** Whether the model broke off: a failure, which whoever reads the reply must raise. */
export function isBroken(reason: unknown): boolean {
  return BROKEN.has(reason);
}
