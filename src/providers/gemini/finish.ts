/** Why a model stopped, in the contract's words. */

const REASONS: ReadonlyMap<string, string> = new Map([
  ["STOP", "stop"],
  ["MAX_TOKENS", "length"],
  // More than one request may write; the caller goes on as after any limit.
  ["CONTINUATION", "length"],
  ["SAFETY", "content_filter"],
  ["RECITATION", "content_filter"],
  ["BLOCKLIST", "content_filter"],
  ["PROHIBITED_CONTENT", "content_filter"],
  ["SPII", "content_filter"],
  ["MODEL_ARMOR", "content_filter"],
  ["IMAGE_SAFETY", "content_filter"],
  ["IMAGE_PROHIBITED_CONTENT", "content_filter"],
  ["IMAGE_RECITATION", "content_filter"],
]);

/** In these the model wrote nothing that can be used; asking again often helps. */
const BROKEN: ReadonlySet<string> = new Set([
  "MALFORMED_FUNCTION_CALL",
  "MALFORMED_RESPONSE",
  "UNEXPECTED_TOOL_CALL",
  "TOO_MANY_TOOL_CALLS",
]);

/** `FinishReason` by its numbers, as far as Gemini and Vertex AI agree on them. */
const NUMBERED = ["", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER"];

/** The provider's name for a reason; empty when the model has not stopped. */
export function finishName(said: unknown): string {
  if (typeof said === "number") return NUMBERED[said] ?? `REASON_${said}`;
  return typeof said === "string" && said !== "FINISH_REASON_UNSPECIFIED" ? said : "";
}

export function isBroken(name: string): boolean {
  return BROKEN.has(name);
}

/** Gemini says `STOP` after tool calls. A reason that nobody knows yet is passed on. */
export function decodeFinishReason(name: string, calledTool: boolean): string {
  if (name === "STOP" && calledTool) return "tool_calls";
  return REASONS.get(name) ?? name.toLowerCase();
}
