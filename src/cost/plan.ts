/**
 * What an attempt needs before it is sent: a price, an estimate, and money held ready for it. Refuses it where
 * one of them is missing.
 */
import type { RoutedCall, Target } from "../core/call.ts";
import { Failure } from "../core/failure.ts";
import { labelsOf } from "../core/labels.ts";
import { type PicoUsd, sum, toUsd, ZERO } from "../core/money.ts";
import type { Budgets, Reservation, Spending } from "./budget/budgets.ts";
import type { ModelPrice } from "./catalog.ts";
import type { Estimator } from "./estimate.ts";
import { type Demand, demandOf } from "./forecast.ts";
import { Purse } from "./purse.ts";
import { type Quote, quote } from "./quote.ts";

export interface Pricing {
  readonly version: string;
  /** Undefined when the price is not known, which is never the same as 0. */
  find(target: Target, atMs: number): ModelPrice | undefined;
  /** What becomes of models without a price; by default that depends on whether money is limited. */
  readonly unknownModels: "refuse" | "allow" | "";
}

export interface Means {
  readonly pricing: Pricing;
  readonly estimator: Estimator;
  readonly budgets: Budgets;
}

export interface Plan {
  readonly model: ModelPrice | undefined;
  readonly demand: Demand;
  /** Undefined without a price. */
  readonly quote: Quote | undefined;
  readonly purse: Purse;
  /** The most tokens that each answer may have, where money lowers them. */
  readonly maxTokens: number | undefined;
  /** Whether all that is written is seen as it comes, so that nothing is thought unseen. */
  readonly visible: boolean;
  /** Whether more money is held ready as the answer comes. */
  readonly inSteps: boolean;
  /** Whether a hard budget is about the attempt. */
  readonly bounded: boolean;
}

/** What is held ready for a stream at a time. */
export const STEP_TOKENS = 512;

/** @throws Failure `budget_exceeded`, before there is an attempt; nothing is held then */
export async function planAttempt(call: RoutedCall, means: Means): Promise<Plan> {
  const { target, request } = call;
  const { pricing, estimator, budgets } = means;
  const spending = spendingOf(call);
  const reach = budgets.reach(spending);
  const bounded = reach === "hard";
  const model = pricing.find(target, call.context.startedAtMs);
  if (!model) {
    refuseUnknown(call, pricing, bounded);
    const demand = demandOf(request, target, undefined, estimator);
    const purse = new Purse(undefined, undefined);
    const unbounded = { maxTokens: undefined, visible: false, inSteps: false, bounded: false };
    return { model, demand, quote: undefined, purse, ...unbounded };
  }
  const draft = new Draft(call, model, estimator);
  if (draft.ceiling !== undefined && draft.quote.wanted > draft.ceiling) await draft.count();
  const byCall = draft.clampToCeiling();
  const reservation = reach === "none" ? undefined : await reserve(draft, spending, budgets);
  const { demand, quote: quoted, ceiling, visible, inSteps } = draft;
  const byBudget = inSteps ? undefined : draft.clampTo(reservation?.granted);
  const maxTokens = least(byCall, byBudget);
  const purse = new Purse(ceiling, reservation);
  return { model, demand, quote: quoted, purse, maxTokens, visible, inSteps, bounded };
}

/** What is known of an attempt's cost, until it is known better. */
class Draft {
  demand: Demand;
  quote: Quote;
  /** What is left of the call's own limit. */
  readonly ceiling: PicoUsd | undefined;
  readonly visible: boolean;
  readonly inSteps: boolean;
  readonly call: RoutedCall;
  private readonly model: ModelPrice;
  private readonly estimator: Estimator;

  constructor(call: RoutedCall, model: ModelPrice, estimator: Estimator) {
    this.call = call;
    this.model = model;
    this.estimator = estimator;
    this.demand = demandOf(call.request, call.target, model, estimator);
    this.quote = quote(model, this.demand);
    this.ceiling =
      call.maxCost === undefined ? undefined : ((call.maxCost - (spentBy(call) ?? ZERO)) as PicoUsd);
    this.visible = model.capabilities?.reasoning === false;
    this.inSteps = call.streaming && this.visible;
  }

  /** Counts the input instead of estimating it, where that can be done; true when less may do now. */
  async count(): Promise<boolean> {
    const { request, target, signal } = this.call;
    const counted = await this.estimator.countInput(request, target, signal);
    if (counted === undefined || counted >= this.demand.maxInputTokens) return false;
    this.demand = demandOf(request, target, this.model, this.estimator, counted);
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

  get needs() {
    const { quote, ceiling, inSteps } = this;
    const most = lesser(quote.most, ceiling);
    const wanted = lesser(inSteps ? quote.cost(STEP_TOKENS) : quote.wanted, most);
    return { least: lesser(quote.least, wanted), wanted, most: inSteps ? wanted : most };
  }
}

async function reserve(draft: Draft, spending: Spending, budgets: Budgets): Promise<Reservation> {
  const { signal } = draft.call;
  try {
    return await budgets.reserve({ spending, signal, ...draft.needs });
  } catch (error) {
    const short = error instanceof Failure && error.kind === "budget_exceeded";
    if (!short || !(await draft.count())) throw error;
    return budgets.reserve({ spending, signal, ...draft.needs });
  }
}

function spendingOf({ context, request, target }: RoutedCall): Spending {
  const { tenant, principal } = context;
  return { tenant, principal, ...target, tags: labelsOf(request) };
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

/** What attempts before have cost; undefined when that is not known. */
export function spentBy({ tally }: RoutedCall): PicoUsd | undefined {
  let total: PicoUsd | undefined = ZERO;
  for (const { actualPicoUsd } of tally.attempts) {
    if (actualPicoUsd === undefined) return undefined;
    total = sum(total, actualPicoUsd as PicoUsd);
  }
  return total;
}

function lesser(a: PicoUsd, b: PicoUsd | undefined): PicoUsd {
  return b !== undefined && b < a ? b : a;
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
