/** What would become of a request, as far as nothing is sent. */

import type { ChatRequest } from "../gen/ts/llmgateway/v1/chat_pb.ts";
import type { DryRunResponse } from "../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { CacheLookup } from "../gen/ts/llmgateway/v1/receipt_pb.ts";
import { beginCall } from "./core/begin.ts";
import {
  type Call,
  isBatch,
  type Layer,
  type RequestContext,
  type RoutedCall,
  type Tally,
} from "./core/call.ts";
import { toUsd } from "./core/money.ts";
import { embedded } from "./core/reply.ts";
import { expectedInput, type Means, previewAttempt } from "./cost/plan.ts";
import type { Preview } from "./jobs/draft.ts";

export interface Previews {
  /** As a job, which can wait. */
  readonly preview: Preview;
  /** As a call of the caller's own. */
  dryRun(request: ChatRequest, context: RequestContext): Promise<DryRunResponse>;
}

/**
 * @param way of a call, down to where it would be sent
 * @param admit what every call passes first
 * @param lookUp what the cache knows of a call; undefined where there is none
 */
export function createPreviews(
  way: Layer<Call, RoutedCall>,
  admit: Layer,
  lookUp: (call: Call) => Promise<CacheLookup | undefined>,
  means: Means,
): Previews {
  const targets = new WeakMap<Tally, RoutedCall>();
  const judge = way(async (call) => {
    targets.set(call.tally, call);
    call.tally.estimated = await previewAttempt(call, means);
    return embedded([]);
  });
  const admitted = admit(judge);
  const routed = ({ tally }: Call): RoutedCall => {
    const call = targets.get(tally);
    if (!call) throw new Error("the router named no target");
    return call;
  };
  return {
    async preview(request, context) {
      const parking = { parked: undefined, park: async () => {} };
      const asJob = { ...context, protocol: "job" } as const;
      const call = beginCall(request, asJob, !isBatch({ request }), parking);
      await judge(call);
      return { target: routed(call).target, estimated: call.tally.estimated };
    },
    async dryRun(request, context) {
      const call = beginCall(request, context, request.stream);
      await admitted(call);
      const cache = await lookUp(call);
      return { ...told(call, routed(call), means), ...(cache ? { cache } : {}) };
    },
  };
}

function told({ tally }: Call, { target, request }: RoutedCall, means: Means): DryRunResponse {
  const { estimated, route, dropped } = tally;
  return {
    $typeName: "llmgateway.v1.DryRunResponse",
    provider: target.provider,
    model: target.model,
    route,
    ...(estimated === undefined ? {} : { estimatedPicoUsd: estimated, estimatedUsd: toUsd(estimated) }),
    inputTokens: expectedInput(request, target, means),
    dropped: [...dropped],
    priceVersion: means.pricing.version,
  };
}
