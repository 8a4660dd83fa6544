/** What experiments add to the metrics: of each call that is part of one, of feedback, and of copies. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { type Compared, SHADOWING } from "../core/call.ts";
import type { CallRow } from "../core/ledger.ts";

const OF_VARIANT = ["experiment", "variant"] as const;

export interface ExperimentSignals {
  ended(row: CallRow): void;
  rated(experiment: string, variant: string, score: number): void;
  capped(experiment: string, variant: string, reason: "cost" | "rate"): void;
  compared(experiment: string, variant: string, comparison: Compared): void;
}

/** @param shares of each variant, as they are now */
export function experimentSignals(
  registry: Registry,
  shares: () => Iterable<{ readonly experiment: string; readonly variant: string; readonly share: number }>,
): ExperimentSignals {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: `llm_experiment_${name}`, help, labelNames: [...labelNames], registers });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `llm_experiment_${name}`, help, labelNames: [...OF_VARIANT], buckets, registers });
  const requests = counter(
    "requests_total",
    "Calls that were part of an experiment, copies included; `cached` for those that made no call of their own.",
    [...OF_VARIANT, "cached"],
  );
  const failures = counter("failures_total", "Of those, the ones that failed.", OF_VARIANT);
  const costUsd = counter("cost_usd_total", "US dollars that they cost, where that is known.", OF_VARIANT);
  const tokens = counter("tokens_total", "Tokens that they read and wrote.", [...OF_VARIANT, "direction"]);
  const latencyMs = histogram(
    "latency_ms",
    "Milliseconds that calls took that were not answered from the cache.",
    [50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000],
  );
  const feedback = histogram(
    "feedback",
    "What callers said of answers, from 0 to 1.",
    [0, 0.25, 0.5, 0.75, 1],
  );
  const notCopied = counter("shadow_capped_total", "Calls that were not copied, by what was at its cap.", [
    ...OF_VARIANT,
    "reason",
  ]);
  const comparisons = counter(
    "shadow_compared_total",
    "Copies that were compared with the caller's answer.",
    [...OF_VARIANT, "equal", "same_finish"],
  );
  const similarity = histogram(
    "shadow_similarity",
    "How alike the words are of the copy's answer and the caller's.",
    [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99],
  );
  const lengthRatio = histogram(
    "shadow_length_ratio",
    "The length of the copy's answer by that of the caller's.",
    [0.1, 0.25, 0.5, 0.8, 1, 1.25, 2, 4, 10],
  );
  new Gauge({
    name: "llm_experiment_share",
    help: "The share of an experiment's calls that a variant is given now.",
    labelNames: [...OF_VARIANT],
    registers,
    collect() {
      this.reset();
      for (const { share, ...labels } of shares()) this.set(labels, share);
    },
  });
  return {
    ended({ experiment: assignment, outcome, receipt, startedAtMs, endedAtMs, method }) {
      if (!assignment) return;
      const labels = { experiment: assignment.name, variant: assignment.variant };
      const { cost, cached } = receipt;
      requests.inc({ ...labels, cached: String(cached) });
      if (outcome === "failed") failures.inc(labels);
      if (cost?.actualUsd !== undefined) costUsd.inc(labels, cost.actualUsd);
      tokens.inc({ ...labels, direction: "input" }, cost?.inputTokens ?? 0);
      tokens.inc({ ...labels, direction: "output" }, cost?.outputTokens ?? 0);
      if (!cached && (outcome === "ok" || method !== SHADOWING))
        latencyMs.observe(labels, endedAtMs - startedAtMs);
    },
    rated: (experiment, variant, score) => feedback.observe({ experiment, variant }, score),
    capped: (experiment, variant, reason) => notCopied.inc({ experiment, variant, reason }),
    compared(experiment, variant, { equal, sameFinish, ...measures }) {
      const labels = { experiment, variant };
      comparisons.inc({ ...labels, equal: String(equal), same_finish: String(sameFinish) });
      similarity.observe(labels, measures.similarity);
      lengthRatio.observe(labels, measures.lengthRatio);
    },
  };
}
