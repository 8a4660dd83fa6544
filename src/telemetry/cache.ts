/** Counts what the cache knew, of each call once it is over, and what that saved. */
import type { Tally, Target } from "../core/call.ts";
import { toUsd } from "../core/money.ts";
import type { Metrics } from "./metrics.ts";

/** @param target who served, as metrics call it */
export function countCached(
  metrics: Metrics,
  { cache, served, shadow }: Tally,
  { provider, model }: Target,
): void {
  if (shadow) metrics.semanticShadow.inc({ provider, model, outcome: shadow.outcome });
  if (served) {
    const { kind, costPicoUsd } = served;
    if (kind === "coalesced") metrics.coalesced.inc({ provider, model });
    else metrics.cacheHits.inc({ provider, model, kind });
    if (costPicoUsd === undefined) return;
    const savings = kind === "coalesced" ? metrics.coalescedSavingsUsd : metrics.cacheSavingsUsd;
    savings.inc({ provider, model }, toUsd(costPicoUsd));
  } else if (cache?.outcome === "miss") metrics.cacheMisses.inc({ provider, model });
}
