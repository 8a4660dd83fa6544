/**
 * Answers in memory with those on Redis behind them, which replicas share. What is in memory is given without asking
 * for a while only, then Redis is asked whether it still holds; where Redis does not answer, memory does.
 */
import type { Clock } from "../core/clock.ts";
import { messageOf } from "../core/message.ts";
import type { Answers, Entry, Told, Which } from "./answers.ts";
import type { Clears } from "./clears.ts";
import type { Link } from "./link.ts";
import type { Memory } from "./memory.ts";
import { type Stored, storedKeyOf } from "./stored.ts";
import { sweep } from "./sweep.ts";

export type Tier = "memory" | "redis";

export interface SharedOptions {
  readonly memory: Memory;
  readonly stored: Stored;
  readonly clears: Clears;
  readonly link: Link;
  readonly clock: Clock;
  /** How long memory is trusted. */
  readonly maxStalenessMs: number;
  readonly onHit: (tier: Tier) => void;
  readonly onError: (operation: string, reason: string) => void;
}

/** So far the clocks may be apart of Redis and of who kept an answer. */
const SKEW_MS = 10_000;
/** A clear that Redis did not take is tried again after so long; taking out what is left of it, later and later. */
const AGAIN_MS = 1_000;
/** Beyond that it is left to expire: nobody is given it. */
const LATEST_MS = 3_600_000;

export class Shared implements Answers {
  private readonly options: SharedOptions;
  /** Until when each is given without asking. */
  private readonly trusted = new WeakMap<Entry, number>();
  private readonly looking = new Map<string, Promise<Hit | undefined>>();
  /** Those that were kept before the process began, when it heard of no clears. */
  private readonly restored = new WeakSet<Entry>();
  private closed = false;

  constructor(options: SharedOptions) {
    this.options = options;
  }

  find(key: string, tenant: string): Entry | undefined | Promise<Entry | undefined> {
    const held = this.options.memory.find(key);
    if (held && this.isTrusted(held)) return this.counted({ entry: held, tier: "memory" });
    const name = storedKeyOf(key, tenant);
    let looking = this.looking.get(name);
    if (!looking) {
      looking = this.look(key, tenant).finally(() => this.looking.delete(name));
      this.looking.set(name, looking);
    }
    return looking.then((hit) => this.counted(hit));
  }

  atHand(key: string): Entry | undefined {
    const held = this.options.memory.atHand(key);
    return held && this.isTrusted(held) ? held : undefined;
  }

  keep(key: string, entry: Entry): void {
    this.admit(key, entry);
    this.options.stored.put(key, entry);
  }

  /** Has it in memory as well, as it is on Redis. */
  admit(key: string, entry: Entry): void {
    this.options.memory.keep(key, entry);
    this.trust(entry);
  }

  /** In memory alone: on Redis it is as it was kept, or has gone. */
  restore(key: string, entry: Entry): void {
    this.options.memory.keep(key, entry);
    this.restored.add(entry);
  }

  async clear(which: Which): Promise<number> {
    // First, so that nothing of it comes back from there meanwhile.
    const there = this.settle(which);
    const here = await this.options.memory.clear(which);
    // Most of what is here is there too.
    return Math.max(here, await there);
  }

  /** All come by there, those of other replicas too. */
  get clears(): number {
    return this.options.memory.clears;
  }

  isCleared(told: Told, since: number): boolean {
    return this.options.memory.isCleared(told, since);
  }

  close(): void {
    this.closed = true;
  }

  private async look(key: string, tenant: string): Promise<Hit | undefined> {
    const { memory, stored, clears } = this.options;
    const said = await stored.look(key, tenant);
    // Now, since it may have been cleared meanwhile.
    const held = memory.find(key);
    if (said?.current === false) return undefined;
    const { entry } = said ?? {};
    if (entry && !(held && held.answer.storedAtMs >= entry.answer.storedAtMs)) {
      this.admit(key, entry);
      return { entry, tier: "redis" };
    }
    // The number of a clear is the time of Redis in microseconds.
    if (held && said && this.restored.has(held)) {
      if (clears.isCleared(held, (held.answer.storedAtMs - SKEW_MS) * 1_000)) return undefined;
    }
    // Redis may have let go of it, or never had room for it; what it knows to be cleared is not here any more.
    if (held && said) this.trust(held);
    return held && { entry: held, tier: "memory" };
  }

  private isTrusted(entry: Entry): boolean {
    return (this.trusted.get(entry) ?? 0) > this.options.clock.now();
  }

  private trust(entry: Entry): void {
    const { clock, maxStalenessMs } = this.options;
    this.trusted.set(entry, clock.now() + maxStalenessMs);
  }

  private counted(hit: Hit | undefined): Entry | undefined {
    if (hit) this.options.onHit(hit.tier);
    return hit?.entry;
  }

  /**
   * Has Redis know of the clear, now or later.
   *
   * @param told its number, once that is so: to tell it again would clear what was kept since
   */
  private async settle(which: Which, told?: number, againMs = AGAIN_MS): Promise<number> {
    const { clears, link, clock, onError } = this.options;
    let number = told;
    try {
      number ??= await clears.add(which).catch(() => undefined);
      const swept = await sweep(which, link, number);
      // One that was full has room now.
      if (number === undefined) await clears.add(which);
      return swept;
    } catch (error) {
      onError("clear", messageOf(error));
      const laterMs = number === undefined ? againMs : 2 * againMs;
      if (againMs <= LATEST_MS)
        clock.after(againMs, () => {
          if (!this.closed) this.settle(which, number, laterMs);
        });
      return 0;
    }
  }
}

interface Hit {
  readonly entry: Entry;
  readonly tier: Tier;
}
