/** What came of the cache since the process began, call by call. It does not know what is kept, nor where. */
import type { Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Clock } from "../core/clock.ts";
import { nameOf } from "../core/target.ts";

/** Calls that were answered without one of their own to a provider, and those that were not. */
export interface Counts {
  readonly hits: number;
  readonly misses: number;
  readonly skipped: number;
  /** What the answers of the hits cost when a provider gave them, as far as that is known. */
  readonly savedPicoUsd: bigint;
}

export const NOTHING: Counts = { hits: 0, misses: 0, skipped: 0, savedPicoUsd: 0n };

/** Callers can make up names without end: beyond so many, they are one. */
const MAX_MODELS = 1_000;
const OTHERS = "other";

export class CacheStats {
  readonly sinceMs: number;
  private all: Counts = NOTHING;
  private readonly byKind = new Map<string, Counts>();
  private readonly byModel = new Map<string, Counts>();

  constructor(clock: Clock) {
    this.sinceMs = clock.now();
  }

  /** Tells of a call once it is over. Where there is no cache, or it never came so far, nothing is counted. */
  count(receipt: Receipt): void {
    const { cached, cacheKind, cache, cost, provider } = receipt;
    if (!cached && !cache) return;
    const outcome = cached ? "hits" : cache?.outcome === "skipped" ? "skipped" : "misses";
    const saved = cached ? (cost?.savedPicoUsd ?? 0n) : 0n;
    this.all = plus(this.all, outcome, saved);
    if (cached) put(this.byKind, cacheKind, outcome, saved);
    if (provider === "") return;
    const name = nameOf(receipt);
    put(
      this.byModel,
      this.byModel.has(name) || this.byModel.size < MAX_MODELS ? name : OTHERS,
      outcome,
      saved,
    );
  }

  get total(): Counts {
    return this.all;
  }

  get kinds(): ReadonlyMap<string, Counts> {
    return this.byKind;
  }

  /** By `provider/model` of who answered, now or when it was kept. */
  get models(): ReadonlyMap<string, Counts> {
    return this.byModel;
  }
}

/** Of the calls for which the cache was asked, the share that it answered. */
export function hitRate({ hits, misses }: Counts): number {
  return hits === 0 ? 0 : hits / (hits + misses);
}

type Outcome = "hits" | "misses" | "skipped";

function put(counts: Map<string, Counts>, name: string, outcome: Outcome, saved: bigint): void {
  counts.set(name, plus(counts.get(name) ?? NOTHING, outcome, saved));
}

function plus(counts: Counts, outcome: Outcome, saved: bigint): Counts {
  return { ...counts, [outcome]: counts[outcome] + 1, savedPicoUsd: counts.savedPicoUsd + saved };
}
