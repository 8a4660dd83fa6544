/**
 * What an attempt needs before it is sent: a price, an estimate, and money held ready for it. Refuses it where
 * one of them is missing.
 */
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Call, ModelRequest, RoutedCall, Tally, Target } from "../core/call.ts";
import { Failure } from "../core/failure.ts";
import { lesser, type PicoUsd, sum, toUsd, ZERO } from "../core/money.ts";
import { usage } from "../core/usage.ts";
import type { Ask, Budgets, Spending } from "./budget/budgets.ts";
import type { ModelPrice } from "./catalog.ts";
import { certainTier } from "./ceiling.ts";
import type { Estimate, EstimateTarget, Estimator } from "./estimate.ts";
import { type Demand, demandOf, least } from "./forecast.ts";
import type { OutputHistory } from "./history.ts";
import { priced } from "./price.ts";
import { Purse } from "./purse.ts";
import { type Quote, quote } from "./quote.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface Pricing {
  readonly version: string;
  /** Undefined when the price is not known, which is never the same as 0. */
  find(target: Target, atMs: number): ModelPrice | undefined;
  /** How the provider is spoken to, such as `bedrock`. */
  kindOf(provider: string): string;
  /** What becomes of models without a price; when empty that depends on whether money is limited. */
  readonly unknownModels: "refuse" | "allow" | "";
}

export interface Means {
  readonly pricing: Pricing;
  readonly inputs: Estimator;
  readonly outputs: OutputHistory;
  readonly tokenizer: Tokenizer;
  readonly budgets: Budgets;
}

export interface Plan {
  readonly target: EstimateTarget;
  readonly estimate: Estimate;
  readonly model: ModelPrice | undefined;
  readonly demand: Demand;
  /** Undefined without a price. */
  readonly quote: Quote | undefined;
  readonly purse: Purse;
  /** The most tokens that each answer may have, where money lowers them. */
  readonly maxTokens: number | undefined;
  /** What it can cost at most, by that. */
  readonly most: PicoUsd | undefined;
  /** Whether more money is held ready as the answer comes. */
  readonly inSteps: boolean;
  /** Whether a hard budget is about the attempt. */
  readonly bounded: boolean;
}

const COUNTED_MARGIN = 1.03;
const COUNTED_SLACK = 8;
/** What is held ready for a stream at first: twice what may be under way, and as much again. */
const FIRST_TOKENS = 128;

/** @throws Failure `budget_exceeded` or `unpriced_model`, before there is an attempt; nothing is held then */
export async function planAttempt(call: RoutedCall, means: Means): Promise<Plan> {
  const { pricing, budgets } = means;
  const model = pricing.find(call.target, call.context.startedAtMs);
  if (call.parking?.parked !== undefined) return unlimited(call, model, means);
  const spending = spendingOf(call);
  const reach = budgets.reach(spending);
  if (!model) {
    refuseUnknown(call, pricing, reach === "hard");
    return unlimited(call, undefined, means);
  }
  const draft = new Draft(call, model, means);
  const { ceiling } = draft;
  if (ceiling !== undefined && draft.quote.wanted > ceiling) await draft.count();
  const byCall = draft.clampToCeiling();
  const reservation = reach === "none" ? undefined : await budgets.reserve(draft.ask(spending));
  // What is left for a stream may be too little for steps: the provider then keeps to it.
  const inSteps = draft.inSteps && (!reservation || reservation.granted >= draft.needs.wanted);
  const byBudget = inSteps ? undefined : draft.clampTo(reservation?.granted);
  const maxTokens = least(byCall, byBudget);
  return {
    target: draft.target,
    model,
    estimate: draft.estimate,
    demand: draft.demand,
    quote: draft.quote,
    purse: new Purse(ceiling, reservation),
    maxTokens,
    most: maxTokens === undefined ? draft.quote.most : draft.quote.cost(maxTokens),
    inSteps,
    bounded: reach === "hard",
  };
}

/**
 * What an attempt is expected to cost, without holding money ready for it.
 *
 * @returns undefined when its price is not known
 * @throws Failure as `planAttempt` does, but for what budgets have left
 */
export async function previewAttempt(call: RoutedCall, means: Means): Promise<PicoUsd | undefined> {
  const { pricing, budgets } = means;
  const model = pricing.find(call.target, call.context.startedAtMs);
  if (!model) {
    refuseUnknown(call, pricing, budgets.reach(spendingOf(call)) === "hard");
    return undefined;
  }
  const draft = new Draft(call, model, means);
  if (draft.ceiling !== undefined && draft.quote.wanted > draft.ceiling) await draft.count();
  return draft.quote.expected(draft.clampToCeiling());
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
  { pricing, inputs, outputs }: Omit<Means, "budgets" | "tokenizer">,
  maxTokens = Number.POSITIVE_INFINITY,
): PicoUsd | undefined {
  const model = pricing.find(target, context.startedAtMs);
  if (!model) return undefined;
  const asked = estimateTargetOf(target, pricing, model);
  const demand = demandOf(request, asked, model, inputs.estimate(request, asked), outputs);
  const { inputTokens, answers, expectedTokens } = demand;
  const expected = usage("estimated", {
    inputTokens,
    cachedInputTokens: Math.min(cachedTokens, inputTokens),
    outputTokens: Math.min(expectedTokens, maxTokens) * answers,
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
function unlimited(
  call: RoutedCall,
  model: ModelPrice | undefined,
  { pricing, inputs, outputs }: Means,
): Plan {
  const target = estimateTargetOf(call.target, pricing, model);
  const estimate = inputs.estimate(call.request, target);
  const demand = demandOf(call.request, target, model, estimate, outputs);
  const quoted = model && quote(model, demand);
  return {
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

function estimateTargetOf(
  { provider, model }: Target,
  { kindOf }: Pricing,
  known: ModelPrice | undefined,
): EstimateTarget {
  return { provider, model, kind: kindOf(provider), contextWindowTokens: known?.contextWindowTokens };
}

/** What is known of an attempt's cost, until it is known better. */
class Draft {
  readonly target: EstimateTarget;
  estimate: Estimate;
  demand: Demand;
  quote: Quote;
  /** What is left of the call's own limit. */
  readonly ceiling: PicoUsd | undefined;
  readonly inSteps: boolean;
  readonly call: RoutedCall;
  private readonly model: ModelPrice;
  private readonly means: Means;

  constructor(call: RoutedCall, model: ModelPrice, means: Means) {
    const { request, maxCost, streaming } = call;
    this.call = call;
    this.model = model;
    this.means = means;
    this.target = estimateTargetOf(call.target, means.pricing, model);
    this.estimate = means.inputs.estimate(request, this.target);
    this.demand = demandOf(request, this.target, model, this.estimate, means.outputs);
    this.quote = quote(model, this.demand);
    this.ceiling = maxCost === undefined ? undefined : leftOf(maxCost, call.tally);
    this.inSteps = streaming && this.demand.visible;
  }

  /** Counts the input instead of estimating it, where that can be done; true when less may do now. */
  async count(): Promise<boolean> {
    const { request, signal } = this.call;
    const { tokenizer, outputs } = this.means;
    const inputTokens = await tokenizer.countInput(request, this.target, signal);
    if (inputTokens === undefined) return false;
    // How tools and schemas are told to the model is not known to the token.
    const maxInputTokens = Math.ceil(inputTokens * COUNTED_MARGIN) + COUNTED_SLACK;
    if (maxInputTokens >= this.estimate.maxInputTokens) return false;
    this.estimate = { ...this.estimate, inputTokens, maxInputTokens };
    this.demand = demandOf(request, this.target, this.model, this.estimate, outputs);
    this.quote = quote(this.model, this.demand);
    return true;
  }

  /** @throws Failure when the call's own limit affords no answer at all */
  clampToCeiling(): number | undefined {
    const tokens = this.clampTo(this.ceiling);
    if (tokens === undefined || tokens >= 1) return tokens;
    const least = toUsd(this.quote.cost(1));
    const { provider, model } = this.call.target;
    throw tooDear(`max_cost_usd affords no reply from ${provider}/${model}: the least is about $${least}`);
  }

  /** Undefined when so much money lowers nothing. */
  clampTo(money: PicoUsd | undefined): number | undefined {
    if (money === undefined) return undefined;
    const tokens = this.quote.affords(money);
    return tokens >= (this.demand.maxTokens ?? Number.POSITIVE_INFINITY) ? undefined : tokens;
  }

  ask(spending: Spending): Ask {
    const tighten = async () => ((await this.count()) ? this.needs : undefined);
    return { spending, signal: this.call.signal, ...this.needs, tighten };
  }

  get needs() {
    const { quote, ceiling, inSteps } = this;
    const most = ceiling === undefined ? quote.most : lesser(quote.most, ceiling);
    const wanted = lesser(inSteps ? quote.cost(FIRST_TOKENS) : quote.wanted, most);
    return { least: lesser(quote.least, wanted), wanted, most: inSteps ? wanted : most };
  }
}

function spendingOf({ context, labels, target }: RoutedCall): Spending {
  const { tenant, principal } = context;
  return { tenant, principal, ...target, tags: labels };
}

function refuseUnknown({ target, maxCost }: RoutedCall, { unknownModels }: Pricing, bounded: boolean): void {
  const name = `${target.provider}/${target.model}`;
  if (maxCost !== undefined)
    throw tooDear(`${name} has no known price, so max_cost_usd cannot be kept; leave it out`);
  if (unknownModels === "allow" || (unknownModels === "" && !bounded)) return;
  const why = bounded ? "a budget applies that could not be kept" : "such models are refused here";
  throw new Failure("unpriced_model", `${name} has no known price, and ${why}; choose another model`, {
    operator: `add ${name} to the price catalog, or set prices.unknown_models to allow`,
  });
}

function tooDear(description: string): Failure {
  const violations = [{ field: "max_cost_usd", description }];
  return new Failure("budget_exceeded", description, { violations });
}

/** What other attempts at the call can still spend is not left for this one. */
function leftOf(maxCost: PicoUsd, { attempts, open }: Tally): PicoUsd {
  let left: bigint = maxCost;
  for (const attempt of attempts) left -= attempt.actualPicoUsd ?? open.get(attempt) ?? maxCost;
  return left as PicoUsd;
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
