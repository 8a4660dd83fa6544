/** Learns from what was measured how far estimates are off, and how much they vary. Remembers no call. */

export interface Offset {
  /** Mean of the logarithm of what was measured over what was estimated. */
  readonly mean: number;
  /** Its standard deviation. */
  readonly spread: number;
}

export class Calibration {
  private mean = 0;
  private variance: number;
  private count = 0;

  /** @param spread before anything is known */
  constructor(spread: number) {
    this.variance = spread ** 2;
  }

  get offset(): Offset {
    return { mean: this.mean, spread: Math.sqrt(this.variance) };
  }

  add(logRatio: number): void {
    // One call must not turn everything, and none is forgotten at once.
    const ratio = Math.max(-FURTHEST, Math.min(FURTHEST, logRatio));
    this.count = Math.min(this.count + 1, REMEMBERED);
    const share = 1 / (this.count + PRIOR);
    const off = ratio - this.mean;
    this.mean += share * off;
    this.variance = (1 - share) * (this.variance + share * off * off);
  }
}

/** What is known before is worth as much as so many calls. */
const PRIOR = 8;
const REMEMBERED = 200;
const FURTHEST = Math.LN2;
