/**
 * What an attempt needs before it is sent: a price, an estimate, and money held ready for it. Refuses it where
 * one of them is missing.
 */
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Call, ModelRequest, RoutedCall, Tally, Target } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { type PicoUsd, sum, ZERO } from "../core/money.ts";
import { usage } from "../core/usage.ts";
import type { ModelPrice } from "./catalog.ts";
import { certainTier } from "./ceiling.ts";
import { Draft, estimateTargetOf, type Limits, refuseUnknown, spendingOf } from "./draft.ts";
import type { Estimate, EstimateTarget } from "./estimate.ts";
import { type Demand, demandOf } from "./forecast.ts";
import type { Means } from "./means.ts";
import { priced } from "./price.ts";
import { Purse } from "./purse.ts";
import { type Quote, quote } from "./quote.ts";

export interface Plan extends Pick<Limits, "maxTokens" | "inSteps"> {
  /** When the attempt begins, and whose prices it has; in milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly target: EstimateTarget;
  readonly estimate: Estimate;
  readonly model: ModelPrice | undefined;
  readonly demand: Demand;
  /** Undefined without a price. */
  readonly quote: Quote | undefined;
  readonly purse: Purse;
  /** What it can cost at most; undefined without a price. */
  readonly most: PicoUsd | undefined;
  /** Whether a hard budget is about the attempt. */
  readonly bounded: boolean;
}

type PlanMeans = Means & { readonly clock: Clock };

/** @throws Failure `budget_exceeded` or `unpriced_model`, before there is an attempt; nothing is held then */
export async function planAttempt(call: RoutedCall, means: PlanMeans): Promise<Plan> {
  const { pricing, budgets, clock } = means;
  const parked = call.parking?.parked;
  if (parked !== undefined) return unlimited(call, parked.sent?.atMs ?? call.context.startedAtMs, means);
  const nowMs = clock.now();
  const model = pricing.find(call.target, nowMs);
  const spending = spendingOf(call);
  const reach = budgets.reach(spending);
  if (!model) {
    refuseUnknown(call, pricing, reach === "hard");
    return unlimited(call, nowMs, means);
  }
  const draft = new Draft(call, model, means);
  const { ceiling } = draft;
  if (ceiling !== undefined && draft.quote.wanted > ceiling) await draft.count();
  const byCall = draft.clampToCeiling();
  const reservation = reach === "none" ? undefined : await budgets.reserve(draft.ask(spending));
  const startedAtMs = clock.now();
  if (startedAtMs !== nowMs && pricing.find(call.target, startedAtMs) !== model) {
    // Other prices hold since, by which something else is to be held ready.
    reservation?.settle(ZERO);
    return planAttempt(call, means);
  }
  return {
    startedAtMs,
    target: draft.target,
    model,
    estimate: draft.estimate,
    demand: draft.demand,
    quote: draft.quote,
    purse: new Purse(ceiling, reservation),
    ...draft.limits(byCall, reservation?.granted),
    bounded: reach === "hard",
  };
}

/**
 * What a call may be expected to cost at a target, for whoever compares several.
 *
 * @param cachedTokens of the input, those that the target may have in its prompt cache
 * @param maxTokens of each answer, when it is not to be as long as usual
 * @returns undefined when its price is not known
 */
export function expectedCost(
  { request, context }: Call,
  target: Target,
  cachedTokens: number,
  { pricing, inputs, ...learnt }: Omit<Means, "budgets" | "tokenizer" | "lengths">,
  maxTokens = Number.POSITIVE_INFINITY,
): PicoUsd | undefined {
  const model = pricing.find(target, context.startedAtMs);
  if (!model) return undefined;
  const asked = estimateTargetOf(target, pricing, model);
  const demand = demandOf(request, asked, model, inputs.estimate(request, asked), learnt);
  const { inputTokens, answers, meanTokens } = demand;
  const expected = usage("estimated", {
    inputTokens,
    ...(cachedTokens > 0 ? { cachedInputTokens: Math.min(cachedTokens, inputTokens) } : demand.cache),
    outputTokens: Math.min(meanTokens, maxTokens) * answers,
    serviceTier: certainTier(demand),
  });
  return priced(model, expected, demand.images)?.total;
}

/** Tokens that a request would have a target read. */
export function expectedInput(
  request: ModelRequest,
  target: Target,
  { pricing, inputs }: Pick<Means, "pricing" | "inputs">,
): number {
  return inputs.estimate(request, estimateTargetOf(target, pricing, undefined)).inputTokens;
}

/** Nothing is held for it: its price is not known, or it was sent before, and budgets have counted it since. */
function unlimited(call: RoutedCall, startedAtMs: number, { pricing, inputs, ...learnt }: Means): Plan {
  const model = pricing.find(call.target, startedAtMs);
  const target = estimateTargetOf(call.target, pricing, model);
  const estimate = inputs.estimate(call.request, target);
  const demand = demandOf(call.request, target, model, estimate, learnt);
  const quoted = model && quote(model, demand);
  return {
    startedAtMs,
    target,
    model,
    estimate,
    demand,
    quote: quoted,
    purse: new Purse(undefined, undefined),
    maxTokens: undefined,
    most: quoted?.most,
    inSteps: false,
    bounded: false,
  };
}

/** What the others that have ended cost; undefined when that is not known of one. */
export function spentBeside(attempt: Attempt, { attempts }: Tally): PicoUsd | undefined {
  let total: PicoUsd | undefined = ZERO;
  for (const other of attempts) {
    if (other === attempt || other.outcome === "pending") continue;
    if (other.actualPicoUsd === undefined) return undefined;
    total = sum(total, other.actualPicoUsd as PicoUsd);
  }
  return total;
}
