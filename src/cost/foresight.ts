/** What an attempt would come to, as far as that can be known without making it. It sends and holds nothing. */
import type { RoutedCall } from "../core/call.ts";
import { type Failure, toFailure } from "../core/failure.ts";
import { lesser, type PicoUsd, ZERO } from "../core/money.ts";
import type { Outlook } from "./budget/budgets.ts";
import type { ModelPrice } from "./catalog.ts";
import { Draft, estimateTargetOf, refuseUnknown, spendingOf } from "./draft.ts";
import { leastCost } from "./floor.ts";
import { type Demand, demandOf } from "./forecast.ts";
import type { Means } from "./means.ts";
import { wordsIn } from "./words.ts";

export interface Foresight extends Pick<Outlook, "standings" | "incomplete"> {
  readonly inputTokens: number;
  /** Whether they were counted by the model's tokenizer. */
  readonly isCounted: boolean;
  /** Undefined when the price is not known. */
  readonly cost: Costs | undefined;
  /** Of all answers together. */
  readonly expectedOutputTokens: number;
  /** Of all answers together; undefined when nothing limits them. */
  readonly maxOutputTokens: number | undefined;
  /** The most tokens that each answer may have, where money lowers them. */
  readonly maxTokens: number | undefined;
  /** What `planAttempt` would fail with. */
  readonly refusal: Failure | undefined;
}

/** An attempt that ends by itself costs no less than the first, and no more than the last. */
export interface Costs {
  readonly least: PicoUsd;
  readonly expected: PicoUsd;
  readonly most: PicoUsd;
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

/** Goes by what `planAttempt` goes by, and where that would refuse, says so. */
export async function foreseeAttempt(call: RoutedCall, means: Means): Promise<Foresight> {
  const model = means.pricing.find(call.target, call.context.startedAtMs);
  return model ? foreseePriced(call, model, means) : foreseeUnpriced(call, means);
}

async function foreseePriced(call: RoutedCall, model: ModelPrice, means: Means): Promise<Foresight> {
  const draft = new Draft(call, model, means);
  const { ceiling } = draft;
  const { inputTokens } = draft.demand;
  const asEstimated = draft.quote;
  if (ceiling !== undefined && draft.quote.wanted > ceiling) await draft.count();
  const { value: byCall, refusal: tooDear } = attempted(() => draft.clampToCeiling());
  const { granted, refusal, ...read } = await means.budgets.foresee(draft.ask(spendingOf(call)));
  const { maxTokens, most } = draft.limits(byCall, granted);
  // By what was measured of this provider, whose tokens may not be those of the tokenizer.
  const expected = asEstimated.expected(maxTokens);
  const { demand } = draft;
  const words = call.request.$typeName === "llmgateway.v1.ChatRequest" ? wordsIn(call.request.messages) : 0;
  const least = leastCost(model, words, demand.maxInputTokens, demand);
  return {
    ...(await inputOf(call, draft.target, inputTokens, means)),
    ...writtenBy(demand, maxTokens),
    ...read,
    cost: { least: lesser(least, most), expected: within(expected, lesser(least, most), most), most },
    maxTokens,
    refusal: tooDear ?? refusal,
  };
}

async function foreseeUnpriced(call: RoutedCall, means: Means): Promise<Foresight> {
  const { pricing, budgets, inputs } = means;
  const spending = spendingOf(call);
  const bounded = budgets.reach(spending) === "hard";
  const { refusal } = attempted(() => refuseUnknown(call, pricing, bounded));
  const target = estimateTargetOf(call.target, pricing, undefined);
  const estimate = inputs.estimate(call.request, target);
  // What is let through without a price is let through by all budgets.
  const { standings, incomplete } = await budgets.foresee({
    spending,
    signal: call.signal,
    least: ZERO,
    wanted: ZERO,
    most: ZERO,
  });
  return {
    ...(await inputOf(call, target, estimate.inputTokens, means)),
    ...writtenBy(demandOf(call.request, target, undefined, estimate, means), undefined),
    standings,
    incomplete,
    cost: undefined,
    maxTokens: undefined,
    refusal,
  };
}

/** An estimate by length may be off further than it can be. */
function within(amount: PicoUsd, least: PicoUsd, most: PicoUsd): PicoUsd {
  return amount < least ? least : lesser(amount, most);
}

async function inputOf(
  { request, signal }: RoutedCall,
  target: Draft["target"],
  estimated: number,
  { tokenizer }: Means,
): Promise<Pick<Foresight, "inputTokens" | "isCounted">> {
  const counted = await tokenizer.countInput(request, target, signal);
  return { inputTokens: counted ?? estimated, isCounted: counted !== undefined };
}

function writtenBy({ answers, meanTokens, maxTokens: limit }: Demand, maxTokens: number | undefined) {
  const most = maxTokens ?? limit;
  return {
    expectedOutputTokens: answers * Math.min(meanTokens, most ?? meanTokens),
    maxOutputTokens: most === undefined ? undefined : answers * most,
  };
}

function attempted<T>(act: () => T): { value: T | undefined; refusal: Failure | undefined } {
  try {
    return { value: act(), refusal: undefined };
  } catch (error) {
    return { value: undefined, refusal: toFailure(error) };
  }
}
