/**
 * Lookups that take their time: what is kept meanwhile, they may have come too early to find. It does not know where
 * answers are kept.
 */
import type { Entry } from "./answers.ts";

export interface Lookup {
  /** Once what was looked for is found or not: returns what was kept until now. */
  end(): Entry | undefined;
}

export class Lookups {
  private readonly open = new Map<string, Set<{ kept: Entry | undefined }>>();

  begin(key: string): Lookup {
    const lookup = { kept: undefined };
    const same = this.open.get(key) ?? new Set();
    this.open.set(key, same.add(lookup));
    return {
      end: () => {
        same.delete(lookup);
        if (same.size === 0) this.open.delete(key);
        return lookup.kept;
      },
    };
  }

  /** Told of each answer that is kept. */
  kept(key: string, entry: Entry): void {
    for (const lookup of this.open.get(key) ?? []) lookup.kept = entry;
  }
}
