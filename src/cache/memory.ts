/** Answers in the memory of this process, bounded in number and bytes: those go first that were not asked for longest. */
import { LRUMapWithDelete } from "mnemonist";
import type { Clock } from "../core/clock.ts";
import { nameOf } from "../core/target.ts";
import type { Answers, Entry, Eviction, Figured, Figures, Which } from "./answers.ts";

export interface Bounds {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

export class Memory implements Answers, Figured {
  private readonly clock: Clock;
  private readonly bounds: Bounds;
  private readonly entries: LRUMapWithDelete<string, Entry>;
  private bytes = 0;
  private readonly evictions: Record<Eviction, number> = {
    expired: 0,
    entries: 0,
    bytes: 0,
    replaced: 0,
    cleared: 0,
  };

  constructor(clock: Clock, bounds: Bounds) {
    this.clock = clock;
    this.bounds = bounds;
    this.entries = new LRUMapWithDelete(bounds.maxEntries);
  }

  find(key: string): Entry | undefined {
    const entry = this.entries.get(key);
    if (!entry || entry.expiresAtMs > this.clock.now()) return entry;
    this.drop(key, entry, "expired");
    return undefined;
  }

  keep(key: string, entry: Entry): void {
    if (entry.bytes > this.bounds.maxBytes) return;
    const popped = this.entries.setpop(key, entry);
    this.bytes += entry.bytes - (popped?.value.bytes ?? 0);
    if (popped) this.evictions[popped.evicted ? "entries" : "replaced"]++;
    while (this.bytes > this.bounds.maxBytes) this.dropOldest();
  }

  async clear(which: Which): Promise<number> {
    const found = [...this.entries].filter(([, entry]) => isMeant(entry, which));
    for (const [key, entry] of found) this.drop(key, entry, "cleared");
    return found.length;
  }

  figures(): Figures {
    const models = new Map<string, { entries: number; bytes: number }>();
    let oldestAtMs: number | undefined;
    let newestAtMs: number | undefined;
    for (const [, { answer, bytes }] of this.entries) {
      const name = nameOf(answer);
      const model = models.get(name) ?? { entries: 0, bytes: 0 };
      models.set(name, { entries: model.entries + 1, bytes: model.bytes + bytes });
      oldestAtMs = Math.min(oldestAtMs ?? Number.POSITIVE_INFINITY, answer.storedAtMs);
      newestAtMs = Math.max(newestAtMs ?? 0, answer.storedAtMs);
    }
    const { bytes, bounds, evictions } = this;
    return {
      entries: this.entries.size,
      bytes,
      ...bounds,
      evictions: { ...evictions },
      oldestAtMs,
      newestAtMs,
      models,
    };
  }

  private drop(key: string, entry: Entry, why: Eviction): void {
    this.evictions[why]++;
    this.entries.delete(key);
    this.bytes -= entry.bytes;
  }

  private dropOldest(): void {
    // From the newest to the oldest.
    let oldest: [string, Entry] | undefined;
    for (const one of this.entries) oldest = one;
    if (oldest) this.drop(...oldest, "bytes");
  }
}

export function isMeant(entry: Entry, { tenant, family, tag }: Which): boolean {
  if (tenant !== undefined && entry.tenant !== tenant) return false;
  if (family !== undefined && entry.family !== family && nameOf(entry.answer) !== family) return false;
  return tag === undefined || entry.tags[tag.key] === tag.value;
}
