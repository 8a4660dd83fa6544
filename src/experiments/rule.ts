/** By what an experiment is judged, as the configuration has it. */

export interface JudgingRule {
  /** The first is the one that others are compared with. */
  readonly variants: readonly { readonly name: string; readonly weight: number }[];
  readonly objective: "cost" | "quality" | "weighted";
  readonly qualityWeight: number;
  readonly costWeight: number;
  /** The chance at most of a wrong winner. */
  readonly alpha: number;
  readonly minSamples: number;
  readonly minDurationMs: number;
  readonly stopOnHarm: boolean;
  readonly harmMinSamples: number;
  /** As a share of calls. */
  readonly maxFailureIncrease: number;
  /** 0.5 for half as long again, as the next. */
  readonly maxLatencyIncrease: number;
  readonly maxCostIncrease: number;
  readonly maxQualityDecrease: number;
  /** Whether calls of one unit stay together, so that there must be enough units. */
  readonly sticky: boolean;
}
