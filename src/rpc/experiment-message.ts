/** An experiment as operators read it: its figures as means and intervals. It decides nothing. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Comparison,
  ComparisonSchema,
  type Estimate,
  EstimateSchema,
  type Experiment,
  ExperimentSchema,
  type ShadowFigures,
  ShadowFiguresSchema,
  type VariantFigures,
  VariantFiguresSchema,
} from "../../gen/ts/llmgateway/v1/experiment_pb.ts";
import { type PicoUsd, toUsd } from "../core/money.ts";
import { gainOf } from "../experiments/judge.ts";
import type { Shadow, Standing } from "../experiments/laboratory.ts";
import { type MomentSums, type Sample, sampleOf, shareOf } from "../experiments/moments.ts";
import { meanInterval } from "../experiments/sequential.ts";
import type { Trial } from "../experiments/trial.ts";

export function experimentMessage({ rule, trial, shadows }: Standing): Experiment {
  const { ruling, state, reason, sinceMs } = trial;
  return create(ExperimentSchema, {
    name: rule.entry.name,
    state,
    reason,
    winner: state === "decided" ? ruling.winner : "",
    decidedBy: ruling.kind === "none" ? "" : ruling.by,
    ...(ruling.kind === "none" ? {} : { decidedAt: timestampFromMs(ruling.atMs) }),
    since: timestampFromMs(sinceMs),
    objective: trial.rule.objective,
    decide: trial.rule.decides ? "auto" : "off",
    variants: rule.ways.map(({ name, model }, index) => variantMessage(trial, name, model, index)),
    shadows: shadows.map(shadowMessage),
  });
}

function variantMessage(trial: Trial, name: string, model: string, index: number): VariantFigures {
  const { rule, shares, ruling } = trial;
  const figures = trial.figuresOf(name);
  const total = shares.reduce((sum, { weight }) => sum + weight, 0);
  const weight = shares.find((share) => share.name === name)?.weight ?? 0;
  const comparison = index === 0 ? undefined : comparisonOf(trial, name);
  const estimate = (sums: MomentSums, sample = sampleOf(sums)) => estimateOf(sums, sample, rule.alpha);
  return create(VariantFiguresSchema, {
    name,
    model,
    weight: rule.variants[index]?.weight ?? 0,
    share: total > 0 ? weight / total : 0,
    requests: BigInt(figures.requests),
    cached: BigInt(figures.cached),
    failureRate: within(estimate(figures.failures, shareOf(figures.failures)), 0, 1),
    costUsd: within(estimate(figures.costUsd), 0, Number.MAX_VALUE),
    latencyMs: exponential(estimate(figures.logLatency)),
    feedback: within(estimate(figures.feedback), 0, 1),
    tokens: within(estimate(figures.tokens), 0, Number.MAX_VALUE),
    unpriced: BigInt(figures.unpriced),
    stoppedBecause: ruling.harmful[name] ?? "",
    ...(comparison ? { comparison } : {}),
  });
}

function comparisonOf(trial: Trial, name: string): Comparison | undefined {
  const [control] = trial.rule.variants;
  if (!control) return undefined;
  const gain = gainOf(trial.rule, trial.figuresOf(name), trial.figuresOf(control.name), trial.rule.alpha);
  return gain && create(ComparisonSchema, gain);
}

function estimateOf({ count, sum }: MomentSums, sample: Sample | undefined, alpha: number): Estimate {
  return create(EstimateSchema, {
    count: BigInt(count),
    ...(count > 0 ? { mean: sum / count } : {}),
    ...(sample ? meanInterval(sample, alpha) : {}),
  });
}

/** What is outside cannot be. */
function within(estimate: Estimate, least: number, most: number): Estimate {
  if (estimate.low !== undefined) estimate.low = Math.max(least, estimate.low);
  if (estimate.high !== undefined) estimate.high = Math.min(most, estimate.high);
  return estimate;
}

function exponential(estimate: Estimate): Estimate {
  for (const part of ["mean", "low", "high"] as const) {
    const value = estimate[part];
    if (value !== undefined) estimate[part] = Math.min(Math.exp(value), Number.MAX_VALUE);
  }
  return estimate;
}

function shadowMessage({ rule, figures }: Shadow): ShadowFigures {
  const { compared, equal, sameFinish, similarity, lengthRatio, costPicoUsd } = figures;
  return create(ShadowFiguresSchema, {
    name: rule.name,
    model: rule.model,
    copies: BigInt(figures.copies),
    failures: BigInt(figures.failures),
    capped: BigInt(figures.capped),
    costPicoUsd,
    costUsd: toUsd(costPicoUsd as PicoUsd),
    compared: BigInt(compared),
    ...(compared === 0
      ? {}
      : {
          equalShare: equal / compared,
          sameFinishShare: sameFinish / compared,
          meanSimilarity: similarity / compared,
          meanLengthRatio: lengthRatio / compared,
        }),
  });
}
