/** What became of the calls of one variant, in sums that can be added to those of other processes. It judges nothing. */
import { addTo, type MomentSums, merged, noSums } from "./moments.ts";

/** What became of one call. */
export interface Outcome {
  /** Which of the groups its unit is in. */
  readonly group: number;
  /** Answered without a call of its own to a provider: it tells nothing of the variant. */
  readonly cached: boolean;
  /** It failed, or was answered by somebody else after the variant had. */
  readonly failed: boolean;
  readonly latencyMs: number;
  /** Undefined when that is not known. */
  readonly costUsd: number | undefined;
  /** Whether a price is lacking; a cost that only is not known yet is not counted. */
  readonly unpriced: boolean;
  readonly tokens: number;
}

export interface Figures {
  requests: number;
  cached: number;
  unpriced: number;
  /** Figures that were no numbers, and are in no sum. */
  broken: number;
  readonly failures: MomentSums;
  readonly costUsd: MomentSums;
  /** Of answers; their natural logarithm. */
  readonly logLatency: MomentSums;
  readonly tokens: MomentSums;
  readonly feedback: MomentSums;
}

export function noFigures(): Figures {
  return {
    requests: 0,
    cached: 0,
    unpriced: 0,
    broken: 0,
    failures: noSums(),
    costUsd: noSums(),
    logLatency: noSums(),
    tokens: noSums(),
    feedback: noSums(),
  };
}

export function count(figures: Figures, outcome: Outcome): void {
  figures.requests++;
  if (outcome.cached) {
    figures.cached++;
    return;
  }
  const { group, failed, latencyMs, costUsd, tokens } = outcome;
  addTo(figures.failures, failed ? 1 : 0, group);
  // How soon it fails says nothing of how soon it answers.
  if (!failed) add(figures, figures.logLatency, Math.log(Math.max(latencyMs, 1)), group);
  if (outcome.unpriced) figures.unpriced++;
  if (costUsd !== undefined) add(figures, figures.costUsd, costUsd, group);
  add(figures, figures.tokens, tokens, group);
}

/** @param earlier what was said of the same call before */
export function rate(figures: Figures, score: number, group: number, earlier: number | undefined): void {
  if (earlier !== undefined) addTo(figures.feedback, earlier, group, -1);
  add(figures, figures.feedback, score, group);
}

export function together(all: readonly Figures[]): Figures {
  const sum = (of: (figures: Figures) => number) => all.reduce((total, figures) => total + of(figures), 0);
  const moments = (of: (figures: Figures) => MomentSums) => merged(all.map(of));
  return {
    requests: sum(({ requests }) => requests),
    cached: sum(({ cached }) => cached),
    unpriced: sum(({ unpriced }) => unpriced),
    broken: sum(({ broken }) => broken),
    failures: moments(({ failures }) => failures),
    costUsd: moments(({ costUsd }) => costUsd),
    logLatency: moments(({ logLatency }) => logLatency),
    tokens: moments(({ tokens }) => tokens),
    feedback: moments(({ feedback }) => feedback),
  };
}

function add(figures: Figures, sums: MomentSums, value: number, group: number): void {
  if (Number.isFinite(value)) addTo(sums, value, group);
  else figures.broken++;
}
