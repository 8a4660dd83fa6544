/** Counts in this process. It asks the ledger what was spent before, and knows nothing of other gateways. */
import { type PicoUsd, sum, ZERO } from "../../core/money.ts";
import type { Reservation } from "./budgets.ts";
import {
  type Amounts,
  type Counter,
  type Counters,
  type Figures,
  type Outcome,
  type Surroundings,
  unavailable,
  verdictOn,
} from "./counters.ts";

/** Counters that hold nothing are forgotten beyond so many; the ledger knows what they stood at. */
const MAX_COUNTERS = 100_000;
const SWEEP_MS = 60_000;

export function memoryCounters(surroundings: Surroundings): Counters {
  return new MemoryCounters(surroundings);
}

/** What a counter stands at. It outlives its place in the map for as long as a reservation needs it. */
interface Entry {
  /** With the limit that was in force when it was last asked. */
  counter: Counter;
  spent: PicoUsd;
  reserved: PicoUsd;
  /** The greatest amount that was told of, and the greatest part of a limit, whichever limits were in force then. */
  toldAmount: PicoUsd;
  toldRatio: number;
}

class MemoryCounters implements Counters {
  readonly shared = false;
  private readonly surroundings: Surroundings;
  private readonly entries = new Map<string, Entry>();
  private readonly loading = new Map<string, Promise<Entry | undefined>>();
  private sweptAtMs: number;

  constructor(surroundings: Surroundings) {
    this.surroundings = surroundings;
    this.sweptAtMs = surroundings.clock.now();
  }

  reserve(counters: readonly Counter[], amounts: Amounts, last: boolean): Outcome | Promise<Outcome> {
    const entries: Entry[] = [];
    for (const counter of counters) {
      const entry = this.entries.get(counter.key);
      if (!entry) return this.loadAndReserve(counters, amounts, last);
      entries.push(entry);
    }
    return this.decide(counters, entries, amounts, last);
  }

  async read(counters: readonly Counter[]): Promise<readonly Figures[]> {
    const entries = await Promise.all(counters.map((counter) => this.entryOf(counter)));
    return entries.flatMap((entry, at) => {
      const counter = counters[at];
      return entry && counter ? [{ ...figuresOf(entry), counter }] : [];
    });
  }

  *snapshot(): Iterable<Figures> {
    const now = this.surroundings.clock.now();
    for (const entry of this.entries.values()) {
      if (entry.counter.windowEndMs > now) yield figuresOf(entry);
    }
  }

  async close(): Promise<void> {
    this.entries.clear();
  }

  private decide(
    counters: readonly Counter[],
    known: readonly (Entry | undefined)[],
    amounts: Amounts,
    last: boolean,
  ): Outcome {
    const entries = counters.flatMap((counter, at) => {
      const entry = known[at];
      if (!entry) return [];
      entry.counter = counter;
      return [entry];
    });
    const verdict = verdictOn(entries, amounts, last);
    if ("granted" in verdict) return { reservation: this.hold(entries, verdict.granted) };
    return "short" in verdict ? { short: verdict.short.counter } : { exceeded: figuresOf(verdict.exceeded) };
  }

  private hold(entries: readonly Entry[], granted: PicoUsd): Reservation {
    for (const entry of entries) entry.reserved = sum(entry.reserved, granted);
    return new Held(entries, granted, this.surroundings);
  }

  private async loadAndReserve(
    counters: readonly Counter[],
    amounts: Amounts,
    last: boolean,
  ): Promise<Outcome> {
    for (;;) {
      const entries = await Promise.all(counters.map((counter) => this.entryOf(counter)));
      // One that was forgotten while another was loaded may be counted anew by now.
      if (entries.every((entry) => !entry || this.entries.get(entry.counter.key) === entry))
        return this.decide(counters, entries, amounts, last);
    }
  }

  /** Undefined for a soft one when the ledger does not answer: the next who asks will ask it again. */
  private async entryOf(counter: Counter): Promise<Entry | undefined> {
    const known = this.entries.get(counter.key);
    if (known) return known;
    let load = this.loading.get(counter.key);
    if (!load) {
      load = this.load(counter).finally(() => this.loading.delete(counter.key));
      this.loading.set(counter.key, load);
    }
    return load.catch((cause) => {
      if (counter.hard) throw unavailable([counter], cause);
      return undefined;
    });
  }

  private async load(counter: Counter): Promise<Entry> {
    const spent = await this.surroundings.spentSince(counter.filter, counter.windowStartMs);
    const entry: Entry = { counter, spent, reserved: ZERO, toldAmount: ZERO, toldRatio: 0 };
    this.makeRoom();
    this.entries.set(counter.key, entry);
    return entry;
  }

  private makeRoom(): void {
    const now = this.surroundings.clock.now();
    if (now - this.sweptAtMs >= SWEEP_MS) {
      this.sweptAtMs = now;
      for (const [key, { counter }] of this.entries) {
        if (counter.windowEndMs <= now) this.entries.delete(key);
      }
    }
    if (this.entries.size < MAX_COUNTERS) return;
    for (const [key, { reserved }] of this.entries) {
      if (reserved === 0n) this.entries.delete(key);
      if (this.entries.size < MAX_COUNTERS) return;
    }
  }
}

class Held implements Reservation {
  granted: PicoUsd;
  private entries: readonly Entry[] | undefined;
  private readonly surroundings: Surroundings;

  constructor(entries: readonly Entry[], granted: PicoUsd, surroundings: Surroundings) {
    this.entries = entries;
    this.granted = granted;
    this.surroundings = surroundings;
  }

  async extend(most: PicoUsd): Promise<PicoUsd> {
    let more = most - this.granted;
    for (const { counter, spent, reserved } of this.entries ?? []) {
      const headroom = counter.limit - spent - reserved;
      if (counter.hard && headroom < more) more = headroom;
    }
    if (!this.entries || more <= 0n) return this.granted;
    for (const entry of this.entries) entry.reserved = sum(entry.reserved, more as PicoUsd);
    this.granted = (this.granted + more) as PicoUsd;
    return this.granted;
  }

  settle(spent: PicoUsd): void {
    const { entries } = this;
    if (!entries) return;
    this.entries = undefined;
    for (const entry of entries) {
      entry.reserved = (entry.reserved - this.granted) as PicoUsd;
      entry.spent = sum(entry.spent, spent);
      if (spent > ZERO) this.warn(entry);
    }
    this.surroundings.onFreed(entries.map(({ counter }) => counter));
  }

  private warn(entry: Entry): void {
    for (const { ratio, amount } of entry.counter.thresholds) {
      if (entry.spent < amount) return;
      if (amount <= entry.toldAmount && ratio <= entry.toldRatio) continue;
      if (amount > entry.toldAmount) entry.toldAmount = amount;
      if (ratio > entry.toldRatio) entry.toldRatio = ratio;
      this.surroundings.onThreshold(figuresOf(entry), ratio);
    }
  }
}

function figuresOf({ counter, spent, reserved }: Figures): Figures {
  return { counter, spent, reserved };
}
