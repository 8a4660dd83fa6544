/** Figures of a sample that a few wild values do not move. */

/** NaN of nothing. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = Math.floor(at);
  const low = sorted[below] ?? 0;
  return low + ((sorted[below + 1] ?? low) - low) * (at - below);
}

/** A normal sample's median distance from its median is so much of its deviation. */
const OF_DEVIATION = 1.4826;

/** The deviation, from the median distance to the median. */
export function deviation(values: readonly number[]): number {
  const middle = median(values);
  return OF_DEVIATION * median(values.map((value) => Math.abs(value - middle)));
}
