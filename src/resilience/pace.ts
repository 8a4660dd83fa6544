/** Whether a stream crawls: how much was written while it was waited for. Time in which nobody waited is not counted. */
import type { Clock } from "../core/clock.ts";

export interface PaceRule {
  readonly minTokensPerSecond: number;
  readonly windowMs: number;
}

export class Pace {
  private readonly clock: Clock;
  private readonly rule: PaceRule;
  private waitedMs = 0;
  private waitingSinceMs: number | undefined;
  private tokens = 0;

  constructor(clock: Clock, rule: PaceRule) {
    this.clock = clock;
    this.rule = rule;
  }

  /** Somebody wants more from now on. */
  wait(): void {
    this.waitingSinceMs = this.clock.now();
  }

  /** So much came. */
  wrote(tokens: number): void {
    this.waitedMs = this.waited;
    this.waitingSinceMs = undefined;
    this.tokens += tokens;
  }

  /** How long it may go on before it must be judged again. */
  get leftMs(): number {
    return Math.max(0, this.rule.windowMs - this.waited);
  }

  /** Judges each window once it is over, and begins another. */
  get crawls(): boolean {
    if (this.leftMs > 0) return false;
    const slow = this.tokens < (this.rule.minTokensPerSecond * this.waited) / 1_000;
    this.waitedMs = 0;
    this.tokens = 0;
    if (this.waitingSinceMs !== undefined) this.waitingSinceMs = this.clock.now();
    return slow;
  }

  private get waited(): number {
    const sinceMs = this.waitingSinceMs;
    return this.waitedMs + (sinceMs === undefined ? 0 : this.clock.now() - sinceMs);
  }
}
