/**
 * Intervals that hold whenever they are looked at, and so may be looked at after every call: the mixture sequential
 * probability ratio test of Robbins, as Johari, Pekelis and Walsh use it for A/B tests ("Always valid inference", 2015),
 * with a normal mixture over the effect. It knows nothing of calls.
 */
import type { Sample } from "./moments.ts";

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The count at which intervals are tightest beside what a test at one fixed time would give. */
const TYPICAL_COUNT = 1_000;

/** @param alpha the chance that the true mean is ever outside */
export function meanInterval({ count, mean, variance }: Sample, alpha: number): Interval {
  return around(mean, variance / count, variance, alpha);
}

/**
 * Of `a.mean - factor * b.mean`.
 *
 * @param alpha the chance that the true one is ever outside
 */
export function differenceInterval(a: Sample, b: Sample, alpha: number, factor = 1): Interval {
  const ofB = factor * factor * b.variance;
  return around(a.mean - factor * b.mean, a.variance / a.count + ofB / b.count, a.variance + ofB, alpha);
}

/**
 * @param variance that of the estimate
 * @param scale that of one observation
 */
export function around(estimate: number, variance: number, scale: number, alpha: number): Interval {
  if (variance <= 0) return { low: estimate, high: estimate };
  const evidence = -2 * Math.log(alpha);
  const mixture = (scale * (evidence + Math.log(evidence + 1) + 1)) / TYPICAL_COUNT;
  const both = variance + mixture;
  const half = Math.sqrt(((variance * both) / mixture) * (evidence + Math.log(both / variance)));
  return { low: estimate - half, high: estimate + half };
}
