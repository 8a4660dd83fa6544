/** What would become of a request, as far as nothing is sent. */

import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ChatRequest } from "../gen/ts/llmgateway/v1/chat_pb.ts";
import type { BudgetHeadroom, DryRunResponse } from "../gen/ts/llmgateway/v1/gateway_pb.ts";
import { AttemptSchema, type CacheLookup } from "../gen/ts/llmgateway/v1/receipt_pb.ts";
import { beginCall } from "./core/begin.ts";
import {
  type AttemptCall,
  type Call,
  isBatch,
  type Layer,
  type RequestContext,
  type RoutedCall,
  type Service,
  type Tally,
} from "./core/call.ts";
import { type PicoUsd, toUsd } from "./core/money.ts";
import { variantOf } from "./core/receipt.ts";
import { embedded } from "./core/reply.ts";
import type { Standing } from "./cost/budget/budgets.ts";
import { type Foresight, foreseeAttempt, previewAttempt } from "./cost/foresight.ts";
import type { Means } from "./cost/means.ts";
import type { Preview } from "./jobs/draft.ts";

export interface Previews {
  /** As a job, which can wait. */
  readonly preview: Preview;
  /** As a call of the caller's own. Throws the Failure that would refuse it for another reason than money. */
  dryRun(request: ChatRequest, context: RequestContext): Promise<DryRunResponse>;
}

export interface PreviewMeans {
  /** Of a call, down to where an attempt would be made. */
  readonly way: Layer<Call, RoutedCall>;
  /** Makes a call of its template. */
  expand(call: Call): Call;
  /** What every call passes first. */
  readonly admit: Layer;
  /** What moderation leaves of a call, as far as nobody is asked. Throws the Failure that would refuse it. */
  moderated(call: Call): Promise<Call>;
  /** What the cache knows of a call; undefined where there is none. */
  lookUp(call: Call): Promise<CacheLookup | undefined>;
  /** What becomes of an attempt before it is sent. */
  readonly rehearse: Service<AttemptCall>;
  readonly means: Means;
}

export function createPreviews({
  way,
  admit,
  moderated,
  expand,
  lookUp,
  rehearse,
  means,
}: PreviewMeans): Previews {
  const targets = new WeakMap<Tally, RoutedCall>();
  const judge = way(async (call) => {
    targets.set(call.tally, call);
    call.tally.estimated = await previewAttempt(call, means);
    return embedded([]);
  });
  const foreseen = new WeakMap<Tally, { readonly call: RoutedCall; readonly foresight: Foresight }>();
  const routed = way(async (call) => {
    const foresight = await foreseeAttempt(call, means);
    // The first target is told of, unless another is to be asked in its place.
    foreseen.set(call.tally, { call, foresight });
    if (foresight.refusal) throw foresight.refusal;
    return rehearse(attemptOf(call, foresight, means));
  });
  const looked = new WeakMap<Tally, Call>();
  const foresee = admit(async (call) => {
    const left = await moderated(call);
    looked.set(call.tally, left);
    return routed(left);
  });
  return {
    async preview(request, context) {
      const parking = { parked: undefined, park: async () => {} };
      const asJob = { ...context, protocol: "job" } as const;
      const call = expand(beginCall(request, asJob, !isBatch({ request }), parking));
      await judge(call);
      const { tally } = call;
      const { estimated, template } = tally;
      return { target: known(targets.get(tally)).target, estimated, template };
    },
    async dryRun(request, context) {
      const call = expand(beginCall(request, context, request.stream));
      await foresee(call).catch((error) => {
        if (foreseen.get(call.tally)?.foresight.refusal !== error) throw error;
      });
      const { call: asked, foresight } = known(foreseen.get(call.tally));
      const cache = await lookUp(known(looked.get(call.tally)));
      // Who has the answer already spends nothing.
      const { refusal } = foresight;
      return told(
        asked,
        { ...foresight, refusal: cache?.outcome === "hit" ? undefined : refusal },
        cache,
        means,
      );
    },
  };
}

function attemptOf(call: RoutedCall, { maxTokens }: Foresight, { pricing }: Means): AttemptCall {
  const model = pricing.find(call.target, call.context.startedAtMs);
  const attempt = create(AttemptSchema, { ...call.target, outcome: "pending" });
  return { ...call, attempt, maxTokens, modelMaxTokens: model?.maxOutputTokens };
}

function known<T>(routed: T | undefined): T {
  if (!routed) throw new Error("the router named no target");
  return routed;
}

function told(
  { tally: { route, dropped, template, experiment }, target }: RoutedCall,
  foresight: Foresight,
  cache: CacheLookup | undefined,
  { pricing }: Means,
): DryRunResponse {
  const { cost, refusal, maxOutputTokens, maxTokens } = foresight;
  return {
    $typeName: "llmgateway.v1.DryRunResponse",
    provider: target.provider,
    model: target.model,
    route,
    ...(cost && {
      estimatedUsd: toUsd(cost.expected),
      estimatedPicoUsd: cost.expected,
      minUsd: toUsd(cost.least),
      minPicoUsd: cost.least,
      maxUsd: toUsd(cost.most),
      maxPicoUsd: cost.most,
    }),
    inputTokens: foresight.inputTokens,
    inputTokensProvenance: foresight.isCounted ? "counted" : "estimated",
    expectedOutputTokens: foresight.expectedOutputTokens,
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(maxTokens !== undefined && { maxTokens }),
    dropped: [...dropped],
    priceVersion: pricing.version,
    ...(cache && { cache }),
    ...(template && { template }),
    ...(experiment && { experiment: variantOf(experiment) }),
    budgets: foresight.standings.map(headroomOf),
    budgetsUnavailable: foresight.incomplete,
    ...(refusal && {
      wouldBeRefused: {
        $typeName: "llmgateway.v1.Refusal",
        kind: refusal.kind,
        message: refusal.message,
      },
    }),
  };
}

function headroomOf({ budget, scope, period, hard, windowEndMs, ...amounts }: Standing): BudgetHeadroom {
  const { limit, spent, reserved } = amounts;
  const left = (limit - spent - reserved) as PicoUsd;
  return {
    $typeName: "llmgateway.v1.BudgetHeadroom",
    name: budget,
    scope,
    period,
    mode: hard ? "hard" : "soft",
    resetsAt: timestampFromMs(windowEndMs),
    limitUsd: toUsd(limit),
    limitPicoUsd: limit,
    spentUsd: toUsd(spent),
    spentPicoUsd: spent,
    reservedUsd: toUsd(reserved),
    reservedPicoUsd: reserved,
    leftUsd: toUsd(left),
    leftPicoUsd: left,
  };
}
