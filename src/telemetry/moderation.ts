/** What moderation found, for a call's log event and its span: names and numbers, and none of the text. */
import type { Span } from "@opentelemetry/api";
import type { Moderated } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";

/** Undefined for nothing. */
export function moderationEvent(found: readonly Moderated[]) {
  if (found.length === 0) return undefined;
  return found.map(({ hook, stage, action, category, count }) => ({ hook, stage, action, category, count }));
}

export function describeModeration(span: Span, found: readonly Moderated[]): void {
  for (const { hook, stage, action, category, count } of found) {
    span.addEvent("llmgateway.moderated", {
      "llmgateway.moderation.hook": hook,
      "llmgateway.moderation.stage": stage,
      "llmgateway.moderation.action": action,
      "llmgateway.moderation.category": category,
      "llmgateway.moderation.count": count,
    });
  }
}
