/** Answers in the memory of this process, bounded in number and bytes: those go first that were not asked for longest. */
import { LRUMapWithDelete } from "mnemonist";
import type { Clock } from "../core/clock.ts";
import { nameOf } from "../core/target.ts";
import type { Answers, Entry, Eviction, Figured, Figures, Told, Which } from "./answers.ts";

export interface Bounds {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/** What was begun before older clears than these counts as meant by them. */
const MAX_CLEARS = 100;
/** How many of the oldest are looked at when one is kept, so that what has expired goes before it is asked for. */
const SWEPT = 2;

export class Memory implements Answers, Figured {
  private readonly clock: Clock;
  /** Told of each answer that is let go of. */
  private readonly onEvicted: (why: Eviction) => void;
  private bounds: Bounds;
  private entries: Recent;
  private bytes = 0;
  clears = 0;
  /** The last of them, the newest at the end. */
  private readonly cleared: { readonly which: Which; readonly number: number }[] = [];
  private readonly evictions: Record<Eviction, number> = {
    expired: 0,
    entries: 0,
    bytes: 0,
    replaced: 0,
    cleared: 0,
  };

  constructor(clock: Clock, bounds: Bounds, onEvicted: (why: Eviction) => void = () => {}) {
    this.clock = clock;
    this.onEvicted = onEvicted;
    this.bounds = bounds;
    this.entries = new Recent(bounds.maxEntries);
  }

  find(key: string): Entry | undefined {
    const entry = this.entries.get(key);
    if (!entry || entry.expiresAtMs > this.clock.now()) return entry;
    this.drop(key, "expired");
    return undefined;
  }

  atHand(key: string): Entry | undefined {
    const entry = this.entries.peek(key);
    return entry && entry.expiresAtMs > this.clock.now() ? entry : undefined;
  }

  keep(key: string, entry: Entry): void {
    this.drop(key, "replaced");
    if (entry.bytes > this.bounds.maxBytes || entry.expiresAtMs <= this.clock.now()) return;
    this.sweep();
    while (this.bytes + entry.bytes > this.bounds.maxBytes) this.dropOldest("bytes");
    if (this.entries.size === this.bounds.maxEntries) this.dropOldest("entries");
    this.entries.set(key, entry);
    this.bytes += entry.bytes;
  }

  restore(key: string, entry: Entry): void {
    this.keep(key, entry);
  }

  async clear(which: Which): Promise<number> {
    this.cleared.push({ which, number: ++this.clears });
    if (this.cleared.length > MAX_CLEARS) this.cleared.shift();
    const found = this.all().filter(([, entry]) => isMeant(entry, which));
    for (const [key] of found) this.drop(key, "cleared");
    return found.length;
  }

  isCleared(told: Told, since: number): boolean {
    if (this.clears - since > MAX_CLEARS) return true;
    return this.cleared.some(({ which, number }) => number > since && isMeant(told, which));
  }

  /** Holds other bounds from now on, and lets go of what is beyond them. */
  rebound(bounds: Bounds): void {
    const { maxEntries, maxBytes } = this.bounds;
    if (bounds.maxEntries === maxEntries && bounds.maxBytes === maxBytes) return;
    this.bounds = bounds;
    while (this.bytes > bounds.maxBytes) this.dropOldest("bytes");
    while (this.entries.size > bounds.maxEntries) this.dropOldest("entries");
    const newestFirst = this.all();
    this.entries = new Recent(bounds.maxEntries);
    for (const [key, entry] of newestFirst.reverse()) this.entries.set(key, entry);
  }

  /** Looks at each answer: for those who ask now and then. */
  figures(): Figures {
    const models = new Map<string, { entries: number; bytes: number }>();
    let oldestAtMs: number | undefined;
    let newestAtMs: number | undefined;
    for (const [, { answer, bytes }] of this.all()) {
      const name = nameOf(answer);
      const model = models.get(name) ?? { entries: 0, bytes: 0 };
      models.set(name, { entries: model.entries + 1, bytes: model.bytes + bytes });
      oldestAtMs = Math.min(oldestAtMs ?? Number.POSITIVE_INFINITY, answer.storedAtMs);
      newestAtMs = Math.max(newestAtMs ?? 0, answer.storedAtMs);
    }
    const evictions = { ...this.evictions };
    return { ...this.bounds, ...this.held, evictions, oldestAtMs, newestAtMs, models };
  }

  get held(): Pick<Figures, "entries" | "bytes"> {
    return { entries: this.entries.size, bytes: this.bytes };
  }

  /** The newest first. */
  private all(): [string, Entry][] {
    return [...this.entries].flatMap(([key, entry]) => (entry ? [[key, entry]] : []));
  }

  private sweep(): void {
    const nowMs = this.clock.now();
    for (let looked = 0; looked < SWEPT; looked++) {
      const key = this.entries.oldest;
      const entry = key === undefined ? undefined : this.entries.peek(key);
      if (key === undefined || !entry || entry.expiresAtMs > nowMs) return;
      this.drop(key, "expired");
    }
  }

  private dropOldest(why: Eviction): void {
    const key = this.entries.oldest;
    if (key !== undefined) this.drop(key, why);
  }

  private drop(key: string, why: Eviction): void {
    const entry = this.entries.peek(key);
    if (!entry) return;
    this.entries.release(key);
    this.bytes -= entry.bytes;
    this.evictions[why]++;
    this.onEvicted(why);
  }
}

/** Knows which of its entries was not asked for longest, and holds on to nothing that is taken out. */
class Recent extends LRUMapWithDelete<string, Entry | undefined> {
  // Of the map's own, which it does not tell: the keys in the places of their entries, and the place of the oldest.
  declare private readonly K: readonly string[];
  declare private readonly tail: number;

  get oldest(): string | undefined {
    return this.size === 0 ? undefined : this.K[this.tail];
  }

  release(key: string): void {
    // The place would keep its entry until another takes it.
    this.set(key, undefined);
    this.delete(key);
  }
}

export function isMeant(entry: Told, { tenant, family, tag }: Which): boolean {
  if (tenant !== undefined && entry.tenant !== tenant) return false;
  if (family !== undefined && entry.family !== family && nameOf(entry.answer) !== family) return false;
  return tag === undefined || entry.tags[tag.key] === tag.value;
}
