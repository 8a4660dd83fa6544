/** A call as it comes to the top of the stack: nothing has become of it yet. */
import type { Call, ModelRequest, Parking, RequestContext, Tally } from "./call.ts";
import { labelsOf } from "./labels.ts";
import { fromUsd } from "./money.ts";

/** @param parking undefined where nobody can wait for hours */
export function beginCall(
  request: ModelRequest,
  context: RequestContext,
  streaming: boolean,
  parking?: Parking,
): Call {
  return {
    context,
    request,
    streaming,
    labels: labelsOf(request),
    maxCost: request.maxCostUsd === undefined ? undefined : fromUsd(request.maxCostUsd),
    signal: context.signal,
    deadlineAtMs: context.deadlineAtMs,
    tally: emptyTally(),
    parking,
  };
}

export function emptyTally(): Tally {
  return {
    attempts: [],
    open: new Map(),
    estimated: undefined,
    priceVersion: "",
    route: undefined,
    chosen: undefined,
    dropped: [],
    cache: undefined,
    template: undefined,
    moderation: [],
    served: undefined,
    outlived: undefined,
  };
}
