/** How many copies may be sent, and for how much money within any hour: what may be spent is held before each. */
import type { Clock } from "../core/clock.ts";
import type { PicoUsd } from "../core/money.ts";

export interface CapRule {
  readonly maxPerHour: PicoUsd;
  readonly maxPerMinute: number;
}

/** Money that is held for a copy. */
export interface Held {
  /** The most that the copy may cost. */
  readonly most: PicoUsd;
  /** @param cost undefined when that is not known: then all of it counts */
  settle(cost: PicoUsd | undefined): void;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** Of what an hour may cost, one copy may take so much at most. */
const PART = 20n;

export class Cap {
  private readonly rule: CapRule;
  private readonly clock: Clock;
  /** What counts, by when it was held; the oldest first. */
  private readonly spent: { atMs: number; pico: bigint }[] = [];

  constructor(rule: CapRule, clock: Clock) {
    this.rule = rule;
    this.clock = clock;
  }

  take(): Held | "cost" | "rate" {
    const nowMs = this.clock.now();
    while (this.spent[0] && this.spent[0].atMs <= nowMs - HOUR_MS) this.spent.shift();
    if (this.spent.length >= this.rule.maxPerMinute) {
      const lately = this.spent.at(-this.rule.maxPerMinute);
      if (lately && lately.atMs > nowMs - MINUTE_MS) return "rate";
    }
    const most = this.rule.maxPerHour / PART;
    const total = this.spent.reduce((sum, { pico }) => sum + pico, 0n);
    if (most <= 0n || total + most > this.rule.maxPerHour) return "cost";
    const entry = { atMs: nowMs, pico: most };
    this.spent.push(entry);
    return {
      most: most as PicoUsd,
      settle: (cost) => {
        if (cost !== undefined) entry.pico = cost;
      },
    };
  }
}
