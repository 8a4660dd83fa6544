/** Ids of tool calls that came from elsewhere, in a form that the provider takes. */
import { createHash } from "node:crypto";

/** Those of Kimi, wherever it is served, are like `functions.look:0`. */
const PLAIN = /^[a-zA-Z0-9_-]{0,64}$/;

/** For Anthropic and Bedrock. A provider's own stay as they are; one id always becomes the same. */
export function plainCallId(id: string): string {
  return PLAIN.test(id) ? id : another(id);
}

/** For OpenAI, which refuses those that are longer: vLLM's have 46 characters. */
export function shortCallId(id: string, maxChars = Number.POSITIVE_INFINITY): string {
  return id.length <= maxChars ? id : another(id);
}

/** Of 37 characters. */
function another(id: string): string {
  return `call_${createHash("sha256").update(id).digest("hex").slice(0, 32)}`;
}
