/** Answers in the memory of this process, bounded in number and bytes: those go first that were not asked for longest. */
import { LRUMapWithDelete } from "mnemonist";
import type { Clock } from "../core/clock.ts";
import type { Answers, Entry, Label, Which } from "./answers.ts";

export interface Bounds {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

export class Memory implements Answers {
  private readonly clock: Clock;
  private readonly bounds: Bounds;
  private readonly entries: LRUMapWithDelete<string, Entry>;
  private bytes = 0;

  constructor(clock: Clock, bounds: Bounds) {
    this.clock = clock;
    this.bounds = bounds;
    this.entries = new LRUMapWithDelete(bounds.maxEntries);
  }

  find(key: string): Entry | undefined {
    const entry = this.entries.get(key);
    if (!entry || entry.expiresAtMs > this.clock.now()) return entry;
    this.drop(key, entry);
    return undefined;
  }

  keep(key: string, entry: Entry): void {
    if (entry.bytes > this.bounds.maxBytes) return;
    const popped = this.entries.setpop(key, entry);
    this.bytes += entry.bytes - (popped?.value.bytes ?? 0);
    while (this.bytes > this.bounds.maxBytes) this.dropOldest();
  }

  async clear(which: Which): Promise<number> {
    const found = [...this.entries].filter(([, entry]) => isMeant(entry, which));
    for (const [key, entry] of found) this.drop(key, entry);
    return found.length;
  }

  private drop(key: string, entry: Entry): void {
    this.entries.delete(key);
    this.bytes -= entry.bytes;
  }

  private dropOldest(): void {
    // From the newest to the oldest.
    let oldest: [string, Entry] | undefined;
    for (const one of this.entries) oldest = one;
    if (oldest) this.drop(...oldest);
  }
}

export function isMeant(entry: Label, { tenant, family, tag }: Which): boolean {
  if (tenant !== undefined && entry.tenant !== tenant) return false;
  if (family !== undefined && entry.family !== family) return false;
  return tag === undefined || entry.tags[tag.key] === tag.value;
}
