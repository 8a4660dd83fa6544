/**
 * Placeholders for what was taken out of one call's texts: the same value has the same one throughout, and those for
 * what the caller sent can be told back. Nothing of it outlives the call.
 */

const PLACEHOLDER = /\[[A-Z][A-Z0-9_]{0,47}_\d{1,6}\]/g;
const LONGEST = 64;

export class Placeholders {
  private readonly byValue = new Map<string, string>();
  private readonly originals = new Map<string, string>();
  private readonly counts = new Map<string, number>();
  /** What reads like one already, and means something else. */
  private readonly taken = new Set<string>();

  /** Of a text before anything is taken out of it. */
  avoid(text: string): void {
    if (text.includes("[")) for (const [found] of text.matchAll(PLACEHOLDER)) this.taken.add(found);
  }

  /** @param restore whether it is to be told back */
  of(category: string, value: string, restore: boolean): string {
    const key = `${category} ${value}`;
    const known = this.byValue.get(key);
    const placeholder = known ?? this.next(category);
    if (!known) this.byValue.set(key, placeholder);
    if (restore) this.originals.set(placeholder, value);
    return placeholder;
  }

  get restores(): boolean {
    return this.originals.size > 0;
  }

  original(placeholder: string): string | undefined {
    return this.originals.get(placeholder);
  }

  private next(category: string): string {
    const name = category
      .toUpperCase()
      .replace(/[^A-Z0-9]+/g, "_")
      .slice(0, 48);
    const label = /^[A-Z]/.test(name) ? name : `X_${name}`.slice(0, 48);
    for (;;) {
      const count = (this.counts.get(label) ?? 0) + 1;
      this.counts.set(label, count);
      const placeholder = `[${label}_${count}]`;
      if (!this.taken.has(placeholder)) return placeholder;
    }
  }
}

/** All that read like placeholders, in order. */
export function placeholdersIn(text: string): { start: number; end: number }[] {
  if (!text.includes("[")) return [];
  return [...text.matchAll(PLACEHOLDER)].map(({ index, 0: found }) => ({
    start: index,
    end: index + found.length,
  }));
}

/** From where on a text may be the beginning of one. */
export function openPlaceholder(text: string): number {
  const start = text.lastIndexOf("[");
  const isOpen = start >= 0 && text.length - start < LONGEST && /^\[[A-Z0-9_]*$/.test(text.slice(start));
  return isOpen ? start : text.length;
}
