/** What the gateway's own cache saves, as far as requests were answered by it. It guesses nothing where it is off. */
import { type PicoUsd, ZERO } from "../../core/money.ts";
import { dollars, percent, type Spend, type TipFields } from "./spend.ts";

/** Of all keys together. */
const ALL = { kind: "answer_cache", key: "", provider: "", model: "", saves: undefined };
const ENOUGH_REQUESTS = 100;
const NAMED_KEYS = 5;

export function answerCacheTips(spends: readonly Spend[], cacheEnabled: boolean): TipFields[] {
  if (spends.length === 0) return [];
  if (!cacheEnabled)
    return [
      {
        ...ALL,
        text: "The gateway's cache is off. The ledger has no prompts, so it cannot tell how many requests were asked before",
        advice:
          "Switch cache.enabled on for a day, for one model by cache.families if need be, and look here again: what it saves is booked.",
      },
    ];
  const byKey = new Map<string, { requests: number; cached: number }>();
  let saved: bigint = ZERO;
  for (const { key, sums } of spends) {
    const known = byKey.get(key) ?? { requests: 0, cached: 0 };
    known.requests += sums.requests;
    known.cached += sums.cachedRequests;
    byKey.set(key, known);
    saved += sums.savedPicoUsd;
  }
  const requests = [...byKey.values()].reduce((sum, one) => sum + one.requests, 0);
  const cached = [...byKey.values()].reduce((sum, one) => sum + one.cached, 0);
  if (requests === 0) return [];
  const never = [...byKey].filter(([, one]) => one.cached === 0 && one.requests >= ENOUGH_REQUESTS);
  const names = never.slice(0, NAMED_KEYS).map(([key]) => key);
  return [
    {
      ...ALL,
      text: `The gateway's cache answered ${percent(cached / requests)} of the requests, which saved ${dollars(saved as PicoUsd)}${names.length > 0 ? `; none of those of ${names.join(", ")}` : ""}`,
      advice:
        "Requests that repeat are found again when nothing in them changes: leave times and ids out of prompts, and give cache_ttl_seconds where an answer holds for longer.",
    },
  ];
}
