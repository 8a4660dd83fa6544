/** Which conversation a call belongs to, as its caller says. */
import type { Call } from "./call.ts";

/** Unlike any other tenant's, whatever they call theirs; empty for a call that belongs to none. */
export function sessionOf({ request, context }: Pick<Call, "request" | "context">): string {
  if (request.$typeName !== "llmgateway.v1.ChatRequest" || request.sessionId === "") return "";
  return `${context.tenant}\n${request.sessionId}`;
}
