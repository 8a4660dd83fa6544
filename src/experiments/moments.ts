/**
 * Sums of one figure over many calls, from which its mean and the mean's uncertainty follow, also where calls of one
 * unit (a session, an API key) are alike. It knows not what is measured.
 */

/** Units fall into so many groups by their hash. */
export const GROUPS = 32;

/** Of a figure, what sums are surely not off by. */
const ROUNDING = 1e-6;

/** As it may be kept, and added to that of another process. */
export interface MomentSums {
  count: number;
  sum: number;
  squares: number;
  /** Of each group: how many, and their sum. */
  readonly groupCounts: number[];
  readonly groupSums: number[];
}

/** What is known of a mean. */
export interface Sample {
  readonly count: number;
  readonly mean: number;
  /** Of one call; that of the mean is it by `count`. */
  readonly variance: number;
}

export function noSums(): MomentSums {
  const zeros = () => new Array<number>(GROUPS).fill(0);
  return { count: 0, sum: 0, squares: 0, groupCounts: zeros(), groupSums: zeros() };
}

/** @param times -1 takes it out again */
export function addTo(sums: MomentSums, value: number, group: number, times = 1): void {
  sums.count += times;
  sums.sum += times * value;
  sums.squares += times * value * value;
  sums.groupCounts[group] = (sums.groupCounts[group] ?? 0) + times;
  sums.groupSums[group] = (sums.groupSums[group] ?? 0) + times * value;
}

export function merged(all: readonly MomentSums[]): MomentSums {
  const total = noSums();
  for (const { count, sum, squares, groupCounts, groupSums } of all) {
    total.count += count;
    total.sum += sum;
    total.squares += squares;
    for (let group = 0; group < GROUPS; group++) {
      total.groupCounts[group] = (total.groupCounts[group] ?? 0) + (groupCounts[group] ?? 0);
      total.groupSums[group] = (total.groupSums[group] ?? 0) + (groupSums[group] ?? 0);
    }
  }
  return total;
}

/** Undefined below two calls, or where a sum is no number. */
export function sampleOf(sums: MomentSums): Sample | undefined {
  const { count, sum, squares } = sums;
  if (count < 2) return undefined;
  const mean = sum / count;
  const within = Math.max(0, (squares - count * mean * mean) / (count - 1));
  // Calls of one unit are alike: then groups of units differ by more than chance, and that is what counts.
  // And what always is the same is so but for rounding, which must not look like a difference.
  const variance = Math.max(within, betweenGroups(sums, mean), (ROUNDING * mean) ** 2);
  return Number.isFinite(mean) && Number.isFinite(variance) ? { count, mean, variance } : undefined;
}

/** Of a share: as if one more had been and one more had not, so that none of ten is not certainly none. */
export function shareOf(sums: MomentSums): Sample | undefined {
  const sample = sampleOf(sums);
  if (!sample) return undefined;
  const share = (sums.sum + 1) / (sums.count + 2);
  return { ...sample, variance: Math.max(sample.variance, share * (1 - share)) };
}

/** How many groups have calls: no more than there are units. */
export function groupsOf({ groupCounts }: MomentSums): number {
  return groupCounts.filter((count) => count > 0).length;
}

/** The variance of one call that explains how far the groups are apart. */
function betweenGroups({ count, groupCounts, groupSums }: MomentSums, mean: number): number {
  let squares = 0;
  let groups = 0;
  for (let group = 0; group < GROUPS; group++) {
    const members = groupCounts[group] ?? 0;
    if (members <= 0) continue;
    groups++;
    squares += ((groupSums[group] ?? 0) - members * mean) ** 2;
  }
  return groups < 2 ? 0 : (squares * groups) / ((groups - 1) * count);
}
