/** An attempt's cost while it is worked out: what it may need, and what money lowers it to. It holds and sends nothing. */
import type { RoutedCall, Tally, Target } from "../core/call.ts";
import { Failure } from "../core/failure.ts";
import { lesser, type PicoUsd, toUsd } from "../core/money.ts";
import type { Ask, Spending } from "./budget/budgets.ts";
import type { ModelPrice } from "./catalog.ts";
import type { Estimate, EstimateTarget } from "./estimate.ts";
import { type Demand, demandOf, least } from "./forecast.ts";
import type { Means, Pricing } from "./means.ts";
import { type Quote, quote } from "./quote.ts";

export interface Limits {
  /** Whether more money is held ready as the answer comes. */
  readonly inSteps: boolean;
  /** The most tokens that each answer may have, where money lowers them. */
  readonly maxTokens: number | undefined;
  /** What it can cost at most, by that. */
  readonly most: PicoUsd;
}

/** What is known of an attempt's cost, until it is known better. */
export class Draft {
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
    this.demand = demandOf(request, this.target, model, this.estimate, means);
    this.quote = quote(model, this.demand);
    this.ceiling = maxCost === undefined ? undefined : leftOf(maxCost, call.tally);
    this.inSteps = streaming && this.demand.visible;
  }

  /** Counts the input instead of estimating it, where that can be done; true when less may do now. */
  async count(): Promise<boolean> {
    const { request, signal } = this.call;
    const { tokenizer } = this.means;
    const inputTokens = await tokenizer.countInput(request, this.target, signal);
    if (inputTokens === undefined) return false;
    // How tools and schemas are told to the model is not known to the token.
    const maxInputTokens = Math.ceil(inputTokens * COUNTED_MARGIN) + COUNTED_SLACK;
    if (maxInputTokens >= this.estimate.maxInputTokens) return false;
    this.estimate = { ...this.estimate, inputTokens, maxInputTokens };
    this.demand = demandOf(request, this.target, this.model, this.estimate, this.means);
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

  /** What money lowers each answer to, and whether more is held ready as the answer comes. */
  limits(byCall: number | undefined, granted: PicoUsd | undefined): Limits {
    // What is left for a stream may be too little for steps: the provider then keeps to it.
    const inSteps = this.inSteps && (granted === undefined || granted >= this.needs.wanted);
    const maxTokens = least(byCall, inSteps ? undefined : this.clampTo(granted));
    return {
      inSteps,
      maxTokens,
      most: maxTokens === undefined ? this.quote.most : this.quote.cost(maxTokens),
    };
  }

  get needs() {
    const { quote, ceiling, inSteps } = this;
    const most = ceiling === undefined ? quote.most : lesser(quote.most, ceiling);
    const wanted = lesser(inSteps ? quote.cost(FIRST_TOKENS) : quote.wanted, most);
    return { least: lesser(quote.least, wanted), wanted, most: inSteps ? wanted : most };
  }
}

export function estimateTargetOf(
  { provider, model }: Target,
  { kindOf }: Pricing,
  known: ModelPrice | undefined,
): EstimateTarget {
  return { provider, model, kind: kindOf(provider), contextWindowTokens: known?.contextWindowTokens };
}

export function spendingOf({ context, labels, target }: RoutedCall): Spending {
  const { tenant, principal } = context;
  return { tenant, principal, ...target, tags: labels };
}

/** @throws Failure when a model without a price may not be called */
export function refuseUnknown(
  { target, maxCost }: RoutedCall,
  { unknownModels }: Pricing,
  bounded: boolean,
): void {
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

const COUNTED_MARGIN = 1.03;
const COUNTED_SLACK = 8;
/** What is held ready for a stream at first: twice what may be under way, and as much again. */
const FIRST_TOKENS = 128;
