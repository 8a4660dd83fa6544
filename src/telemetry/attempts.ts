/** What each attempt at a provider adds to the metrics, once it has ended and is priced. */
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Call } from "../core/call.ts";
import type { Metrics } from "./metrics.ts";

/** @param isTracked whether costs are: where none is, none is missing */
export function countAttempt(
  metrics: Metrics,
  attempt: Attempt,
  { context, streaming }: Call,
  isTracked: boolean,
): void {
  const { provider, usage, outcome, trigger } = attempt;
  const labels = { provider, model: modelLabel(attempt) };
  metrics.attempts.inc({ ...labels, trigger, outcome });
  metrics.tokens.inc({ ...labels, direction: "input" }, usage?.inputTokens ?? 0);
  metrics.tokens.inc({ ...labels, direction: "output" }, usage?.outputTokens ?? 0);
  if (streaming) metrics.streamTokens.inc(labels, usage?.outputTokens ?? 0);
  if (attempt.actualUsd !== undefined)
    metrics.costUsd.inc({ ...labels, route: context.method.toLowerCase() }, attempt.actualUsd);
  else if (isTracked) metrics.unpriced.inc(labels);
}

/** A caller can make up names without end; those that fail must not each begin a series. */
export function modelLabel(attempt: Attempt | undefined): string {
  return attempt && (attempt.priceVersion !== "" || attempt.outcome === "ok") ? attempt.model : "unknown";
}
