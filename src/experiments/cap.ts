/** How many copies may be sent, and for how much money within any hour: what may be spent is held before each. */
import type { Clock } from "../core/clock.ts";
import { HOUR_MS } from "../core/hours.ts";
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

const MINUTE_MS = 60_000;
/** Of what an hour may cost, one copy may take so much at most. */
const PART = 20n;

/** What counts, until it is an hour old. */
interface Entry {
  readonly atMs: number;
  pico: bigint;
  counts: boolean;
}

export class Cap {
  private rule: CapRule;
  private readonly clock: Clock;
  /** The oldest first; those before `first` count no more. */
  private entries: Entry[] = [];
  private first = 0;
  /** Of those that count: it is asked for each call, however many they are. */
  private total = 0n;

  constructor(rule: CapRule, clock: Clock) {
    this.rule = rule;
    this.clock = clock;
  }

  /** Another rule holds from now on, for what was spent before as well. */
  keep(rule: CapRule): void {
    this.rule = rule;
  }

  take(): Held | "cost" | "rate" {
    const { maxPerHour, maxPerMinute } = this.rule;
    const nowMs = this.clock.now();
    this.forget(nowMs - HOUR_MS);
    const before = this.entries.length - maxPerMinute;
    const lately = before < this.first ? undefined : this.entries[before];
    if (lately && lately.atMs > nowMs - MINUTE_MS) return "rate";
    const most = maxPerHour / PART;
    if (most <= 0n || this.total + most > maxPerHour) return "cost";
    const entry = { atMs: nowMs, pico: most as bigint, counts: true };
    this.entries.push(entry);
    this.total += most;
    return {
      most: most as PicoUsd,
      settle: (cost) => {
        if (cost === undefined || !entry.counts) return;
        this.total += cost - entry.pico;
        entry.pico = cost;
      },
    };
  }

  private forget(upToMs: number): void {
    for (let oldest = this.entries[this.first]; oldest; oldest = this.entries[this.first]) {
      if (oldest.atMs > upToMs) break;
      oldest.counts = false;
      this.total -= oldest.pico;
      this.first++;
    }
    // All at once, so that none has to be moved for each.
    if (2 * this.first < this.entries.length) return;
    this.entries = this.entries.slice(this.first);
    this.first = 0;
  }
}
