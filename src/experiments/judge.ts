/**
 * What an experiment's figures say: who does harm, and who has won, by a test that may be looked at after every call.
 * Where a figure cannot be trusted it says so, and names no winner. It changes nothing.
 */
import type { Figures } from "./figures.ts";
import { harmOf } from "./harm.ts";
import { groupsOf, type Sample, sampleOf, shareOf } from "./moments.ts";
import type { JudgingRule } from "./rule.ts";
import { around, differenceInterval, type Interval } from "./sequential.ts";

export interface Judgement {
  /** Those that were found to do harm just now, and how. */
  readonly harmful: ReadonlyMap<string, string>;
  readonly winner: string | undefined;
  /** Why there is one, or none yet. */
  readonly reason: string;
}

export interface Evidence {
  readonly figuresOf: (variant: string) => Figures;
  /** Those that are given no calls any more; they cannot win. */
  readonly stopped: ReadonlySet<string>;
  readonly elapsedMs: number;
}

/** Of calls, those whose cost is not known may be at most. */
const MAX_UNPRICED = 0.01;
/** How many times as often one variant may be told of as another. */
const MAX_COVERAGE_RATIO = 2;
/** Groups that have units; fewer could be a few heavy users. */
const MIN_GROUPS = 10;

export function judge(rule: JudgingRule, { figuresOf, stopped, elapsedMs }: Evidence): Judgement {
  const [control, ...others] = rule.variants;
  if (!control) return { harmful: new Map(), winner: undefined, reason: "there are no variants" };
  const harmful = new Map<string, string>();
  if (rule.stopOnHarm)
    for (const { name } of others) {
      const harm = stopped.has(name)
        ? undefined
        : harmOf(figuresOf(name), figuresOf(control.name), rule, others.length);
      if (harm) harmful.set(name, harm);
    }
  const left = rule.variants.filter(
    ({ name, weight }) => weight > 0 && !stopped.has(name) && !harmful.has(name),
  );
  return { harmful, ...winnerOf(rule, left, figuresOf, elapsedMs) };
}

/** By how much the first is better than the second, with the chance `alpha` of ever being wrong; undefined for too few. */
export function gainOf(
  rule: JudgingRule,
  a: Figures,
  b: Figures,
  alpha: number,
): (Interval & { readonly gain: number }) | undefined {
  const [quality, otherQuality] = [sampleOf(a.feedback), sampleOf(b.feedback)];
  const [cost, otherCost] = [sampleOf(a.costUsd), sampleOf(b.costUsd)];
  if (rule.objective === "cost")
    return (
      cost && otherCost && { ...differenceInterval(otherCost, cost, alpha), gain: otherCost.mean - cost.mean }
    );
  if (!quality || !otherQuality) return undefined;
  const gain = quality.mean - otherQuality.mean;
  if (rule.objective === "quality") return { ...differenceInterval(quality, otherQuality, alpha), gain };
  if (!cost || !otherCost || otherCost.mean <= 0) return undefined;
  // Both at half the chance each, since calls with feedback are among those with a cost.
  const better = differenceInterval(quality, otherQuality, alpha / 2);
  const ratio = cost.mean / otherCost.mean;
  const spread = cost.variance / cost.count + (ratio ** 2 * otherCost.variance) / otherCost.count;
  const scale = cost.variance + ratio ** 2 * otherCost.variance;
  const dearer = around(ratio - 1, spread / otherCost.mean ** 2, scale / otherCost.mean ** 2, alpha / 2);
  const { qualityWeight, costWeight } = rule;
  return {
    gain: qualityWeight * gain - costWeight * (ratio - 1),
    low: qualityWeight * better.low - costWeight * dearer.high,
    high: qualityWeight * better.high - costWeight * dearer.low,
  };
}

type Variants = JudgingRule["variants"];

function winnerOf(
  rule: JudgingRule,
  left: Variants,
  figuresOf: (variant: string) => Figures,
  elapsedMs: number,
): Pick<Judgement, "winner" | "reason"> {
  const none = (reason: string) => ({ winner: undefined, reason });
  const [only] = left;
  if (!only) return none("no variant is left");
  if (rule.variants.length === 1) return none("there is but one variant: nothing is compared");
  const isAlone = left.length === 1;
  const objection = isAlone ? "" : objectionTo(rule, left, figuresOf);
  if (objection) return none(objection);
  if (elapsedMs < rule.minDurationMs) {
    const minutes = Math.ceil((rule.minDurationMs - elapsedMs) / 60_000);
    return none(`it has to run for ${minutes} more minutes`);
  }
  if (isAlone) return { winner: only.name, reason: "no other variant is left" };
  // Whoever wins has beaten each of the others: one wrong comparison of all would be needed for a wrong winner.
  const alpha = rule.alpha / ((rule.variants.length * (rule.variants.length - 1)) / 2);
  const winner = left.find(({ name }) =>
    left.every((other) => other.name === name || beats(rule, figuresOf(name), figuresOf(other.name), alpha)),
  );
  if (!winner) return none("no variant is clearly better than all others yet");
  return { winner: winner.name, reason: `it is better than all others by ${rule.objective}` };
}

/** Better by the objective, and not known to fail more often by more than the margin. */
function beats(rule: JudgingRule, a: Figures, b: Figures, alpha: number): boolean {
  const gain = gainOf(rule, a, b, alpha);
  if (!gain || !(gain.low > 0)) return false;
  const [failures, others] = [shareOf(a.failures), shareOf(b.failures)];
  if (!failures || !others) return false;
  return (
    differenceInterval(failures, others, rule.alpha).high <= rule.maxFailureIncrease ||
    failures.mean < others.mean
  );
}

/** Why the figures cannot be judged by; empty when they can. */
function objectionTo(rule: JudgingRule, left: Variants, figuresOf: (variant: string) => Figures): string {
  const wantsCost = rule.objective !== "quality";
  const wantsFeedback = rule.objective !== "cost";
  const coverages: number[] = [];
  for (const { name } of left) {
    const figures = figuresOf(name);
    const calls = figures.requests - figures.cached;
    if (figures.broken > MAX_UNPRICED * calls)
      return `broken: of ${name}, ${figures.broken} figures are no numbers`;
    const short = shortOf(sampleOf(figures.failures), rule.minSamples);
    if (short) return `too few calls of ${name}: ${short}`;
    if (rule.sticky && groupsOf(figures.failures) < MIN_GROUPS)
      return `too few of those that stay together (sessions, API keys, …) have come to ${name}`;
    if (wantsCost) {
      if (figures.unpriced > MAX_UNPRICED * calls)
        return `broken: of ${name}, the cost of ${figures.unpriced} calls is not known; give the model a price`;
      const few = shortOf(sampleOf(figures.costUsd), rule.minSamples);
      if (few) return `too few calls of ${name} whose cost is known: ${few}`;
    }
    if (wantsFeedback) {
      const few = shortOf(sampleOf(figures.feedback), rule.minSamples);
      if (few) return `too little feedback for ${name}: ${few}`;
      coverages.push(figures.feedback.count / calls);
    }
  }
  // Who is told of more often may be told of for other reasons than how good it is.
  const [least, most] = [Math.min(...coverages), Math.max(...coverages)];
  if (coverages.length > 0 && most > MAX_COVERAGE_RATIO * least)
    return `broken: feedback comes to ${percent(least)} of the answers of one variant and ${percent(most)} of another's`;
  return "";
}

function shortOf(sample: Sample | undefined, wanted: number): string {
  const count = sample?.count ?? 0;
  return count < wanted ? `${count} of ${wanted}` : "";
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
