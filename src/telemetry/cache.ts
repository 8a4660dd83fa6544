/** Counts what the cache knew, of each call once it is over, and what that saved; shows how much it holds. */
import { Gauge, type Registry } from "prom-client";
import type { Tally, Target } from "../core/call.ts";
import { toUsd } from "../core/money.ts";
import type { Metrics } from "./metrics.ts";

/** @param target who served, as metrics call it */
export function countCached(metrics: Metrics, { cache, served }: Tally, { provider, model }: Target): void {
  if (served) {
    const { kind, costPicoUsd } = served;
    if (kind === "coalesced") metrics.coalesced.inc({ provider, model });
    else metrics.cacheHits.inc({ provider, model, kind });
    if (costPicoUsd === undefined) return;
    const savings = kind === "coalesced" ? metrics.coalescedSavingsUsd : metrics.cacheSavingsUsd;
    savings.inc({ provider, model }, toUsd(costPicoUsd));
  } else if (cache?.outcome === "miss") metrics.cacheMisses.inc({ provider, model });
}

export function showCache(
  registry: Registry,
  held: () => { readonly entries: number; readonly bytes: number },
): void {
  const registers = [registry];
  new Gauge({
    name: "llm_cache_entries",
    help: "Answers that the cache has in memory.",
    registers,
    collect() {
      this.set(held().entries);
    },
  });
  new Gauge({
    name: "llm_cache_bytes",
    help: "Bytes of memory that the cache's answers take, by estimate.",
    registers,
    collect() {
      this.set(held().bytes);
    },
  });
}
