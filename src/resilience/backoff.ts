/** How long to wait before asking again. It counts nothing, and knows no target. */

export interface Backoff {
  /** The bound of the wait before the first retry; each later one is twice the one before. */
  readonly baseMs: number;
  /** The longest wait that is worth it. */
  readonly maxMs: number;
}

/**
 * Drawn anew from nothing to the bound each time, so that those who failed together do not come back together. What the
 * provider asks for is the least.
 *
 * @param retry 1 for the first
 * @param askedMs what the provider wants, by its `Retry-After`
 * @param random draws from 0 up to 1
 * @returns undefined when the provider wants more than is worth it
 */
export function waitBefore(
  retry: number,
  askedMs: number | undefined,
  { baseMs, maxMs }: Backoff,
  random: () => number,
): number | undefined {
  const bound = Math.min(baseMs * 2 ** (retry - 1), maxMs);
  const waitMs = Math.round(bound * random());
  if (askedMs === undefined) return waitMs;
  return askedMs > maxMs ? undefined : Math.min(askedMs + waitMs, maxMs);
}
