/** What an attempt costs at the least. Knows prices alone, and estimates nothing. */
import { type PicoUsd, sum, times } from "../core/money.ts";
import type { ModelPrice } from "./catalog.ts";
import { type Foreseen, possible } from "./ceiling.ts";

/**
 * No usage of `leastInputTokens` up to `maxInputTokens` costs less, however its tokens are divided into kinds and
 * whatever it writes.
 */
export function leastCost(
  model: ModelPrice,
  leastInputTokens: number,
  maxInputTokens: number,
  { cacheWrites, media = true, images = 0, serviceTier }: Foreseen,
): PicoUsd {
  let cheapest: bigint | undefined;
  const consider = (rate: bigint) => {
    if (cheapest === undefined || rate < cheapest) cheapest = rate;
  };
  for (const { rates, tiers } of possible(model, serviceTier)) {
    for (const { aboveInputTokens, rates: at } of [{ aboveInputTokens: -1, rates }, ...tiers]) {
      if (aboveInputTokens >= maxInputTokens) break;
      consider(at.inputPicoPerToken);
      if (cacheWrites !== "none") {
        consider(at.cachedInputPicoPerToken);
        consider(at.cacheWritePicoPerToken);
        consider(at.cacheWrite1hPicoPerToken);
      }
      if (!media) continue;
      consider(at.audioInputPicoPerToken);
      consider(at.imageInputPicoPerToken);
    }
  }
  const fixed = sum(model.picoPerRequest, times(model.picoPerImage, images));
  return sum(fixed, times((cheapest ?? 0n) as PicoUsd, leastInputTokens));
}
