/** What of the cache outlives a snapshot: the answers, what came of them, and what was asked most. */
import type { Answers, Figured } from "./cache/answers.ts";
import { Frequent } from "./cache/frequent.ts";
import { Memory } from "./cache/memory.ts";
import { CacheStats } from "./cache/stats.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Clock } from "./core/clock.ts";

export interface Cached {
  readonly answers: Answers;
  /** What of them is in this process. */
  readonly memory: Figured;
  readonly cacheStats: CacheStats;
  readonly frequent: Frequent;
}

export function openCache({ cache }: CompleteConfig, clock: Clock): Cached {
  const memory = new Memory(clock, { maxEntries: cache.maxEntries, maxBytes: Number(cache.maxBytes) });
  return {
    answers: memory,
    memory,
    cacheStats: new CacheStats(clock),
    frequent: new Frequent(cache.rememberRequests),
  };
}
