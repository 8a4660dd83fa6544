/** Whether a variant is clearly worse than the control, by more than the margins allow. It decides nothing. */
import type { Figures } from "./figures.ts";
import { groupsOf, type MomentSums, type Sample, sampleOf, shareOf } from "./moments.ts";
import type { JudgingRule } from "./rule.ts";
import { differenceInterval } from "./sequential.ts";

/** How many things are looked at: the chance of an error is shared among them. */
const GUARDS = 4;
/** Of units that stay together: how far one is from others by itself does not show where there are no others. */
const LEAST_GROUPS = 2;

/**
 * In words for people; undefined when it is not known to do harm.
 *
 * @param others how many variants are compared with the control
 */
export function harmOf(
  variant: Figures,
  control: Figures,
  rule: JudgingRule,
  others: number,
): string | undefined {
  const alpha = rule.alpha / (GUARDS * others);
  const enough = (of: (figures: Figures) => MomentSums, sample = sampleOf): [Sample, Sample] | undefined => {
    const [sums, others] = [of(variant), of(control)];
    if (groupsOf(sums) < LEAST_GROUPS || groupsOf(others) < LEAST_GROUPS) return undefined;
    const [a, b] = [sample(sums), sample(others)];
    return a && b && a.count >= rule.harmMinSamples && b.count >= rule.harmMinSamples ? [a, b] : undefined;
  };
  const failures = enough(({ failures }) => failures, shareOf);
  if (failures) {
    const { low } = differenceInterval(...failures, alpha);
    if (low > rule.maxFailureIncrease)
      return `it fails more often: ${percent(failures[0].mean)} of calls, and the control ${percent(failures[1].mean)}`;
  }
  const latency = enough(({ logLatency }) => logLatency);
  if (latency) {
    const { low } = differenceInterval(...latency, alpha);
    if (low > Math.log1p(rule.maxLatencyIncrease))
      return `it takes longer: ${milliseconds(latency[0])}, and the control ${milliseconds(latency[1])}`;
  }
  const cost = enough(({ costUsd }) => costUsd);
  if (cost) {
    const { low } = differenceInterval(...cost, alpha, 1 + rule.maxCostIncrease);
    if (low > 0)
      return `it costs more: $${cost[0].mean.toPrecision(3)} a call, and the control $${cost[1].mean.toPrecision(3)}`;
  }
  const feedback = enough(({ feedback }) => feedback);
  if (feedback) {
    const { high } = differenceInterval(...feedback, alpha);
    if (high < -rule.maxQualityDecrease)
      return `its feedback is worse: ${feedback[0].mean.toFixed(2)}, and the control's ${feedback[1].mean.toFixed(2)}`;
  }
  return undefined;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function milliseconds({ mean }: Sample): string {
  return `${Math.round(Math.exp(mean))} ms`;
}
