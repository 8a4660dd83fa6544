/**
 * A limit that follows from how long calls take: while they take as long as ever it grows, and when they take longer,
 * as they do behind a queue, it shrinks. It is told times, and limits nobody itself.
 */

export const LEAST_LIMIT = 4;
/** How many calls it takes to find out that the usual time is longer now, and how many that it is shorter. */
const SLOWER_CALLS = 3_000;
const FASTER_CALLS = 100;
/** Answers differ in length: only times above the usual by as much are a sign of a queue. */
const TOLERANCE = 1.5;
const MOST_SHRINKING = 0.5;
const SMOOTHING = 0.2;
/** What is left of the limit after the other side says that it is too much. */
const BACK_OFF = 0.9;

export class Gradient {
  private limit_: number;
  private usualMs: number | undefined;

  constructor(start: number) {
    this.limit_ = start;
  }

  /** @param most bounds it from above */
  limit(most: number): number {
    return Math.floor(Math.max(LEAST_LIMIT, Math.min(this.limit_, most)));
  }

  /**
   * A call got its first word after so long.
   *
   * @param underWay how many there were when it was sent
   */
  took(ms: number, underWay: number, most: number): void {
    const usualMs = this.usualMs ?? ms;
    this.usualMs = usualMs + (ms - usualMs) / (ms > usualMs ? SLOWER_CALLS : FASTER_CALLS);
    const now = Math.min(this.limit_, most);
    // A limit that nobody comes near is not known to be too low.
    if (underWay < now / 2) return;
    const gradient = Math.max(MOST_SHRINKING, Math.min(1, (TOLERANCE * this.usualMs) / Math.max(ms, 1)));
    const wanted = now * gradient + Math.sqrt(now);
    this.limit_ = this.bounded(now * (1 - SMOOTHING) + wanted * SMOOTHING, most);
  }

  /** The other side said that it was too much. */
  refused(most: number): void {
    this.limit_ = this.bounded(Math.min(this.limit_, most) * BACK_OFF, most);
  }

  private bounded(limit: number, most: number): number {
    return Math.max(LEAST_LIMIT, Math.min(limit, most));
  }
}
