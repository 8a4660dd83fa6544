/**
 * How long things took, as counts in buckets that can be added up, and percentiles read off them. It knows no clock
 * and no store.
 */

/**
 * The longest that each bucket holds, in whole milliseconds; one more holds what took longer. Five a decade: what is
 * read off a bucket is right within 60 %, and usually within 10 %, since it is read off as if times were spread evenly.
 */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  1, 2, 4, 6, 10, 16, 25, 40, 63, 100, 160, 250, 400, 630, 1_000, 1_600, 2_500, 4_000, 6_300, 10_000, 16_000,
  25_000, 40_000, 63_000, 100_000, 160_000, 250_000, 400_000, 630_000,
];

export const LATENCY_BUCKETS = LATENCY_BOUNDS_MS.length + 1;

/**
 * @param counts by bucket
 * @param share such as 0.95
 * @returns milliseconds, or undefined when there are none; what took longer than all bounds counts as the last
 */
export function percentile(counts: readonly number[], share: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const rank = share * total;
  let before = 0;
  for (const [bucket, count] of counts.entries()) {
    if (count > 0 && before + count >= rank) return within(bucket, (rank - before) / count);
    before += count;
  }
  return LATENCY_BOUNDS_MS.at(-1);
}

/** As if those in a bucket were spread evenly over it, on the scale by which buckets grow. */
function within(bucket: number, part: number): number {
  const upper = LATENCY_BOUNDS_MS[bucket];
  const lower = LATENCY_BOUNDS_MS[bucket - 1];
  if (upper === undefined) return lower ?? 0;
  if (lower === undefined) return upper * part;
  return lower * (upper / lower) ** part;
}
