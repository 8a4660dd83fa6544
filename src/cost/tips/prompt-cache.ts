/** Prompts that the provider could have read from its cache, and read anew. */

import type { PicoUsd } from "../../core/money.ts";
import { nameOf } from "../../core/target.ts";
import type { UsageSums } from "../../core/usage-store.ts";
import type { ModelPrice } from "../catalog.ts";
import { dollars, percent, type Spend, type TipFields } from "./spend.ts";

/** Providers cache no prompt that is shorter. */
const LEAST_INPUT = 1_024;
const ENOUGH_ATTEMPTS = 20;
/** Others must have so much of their input cached, and this model less than half of it. */
const LEAST_SHARE = 0.2;

interface Example {
  /** Of the input, what was read from the cache. */
  readonly share: number;
  /** Tokens that were written to it, for each that was read from it. */
  readonly written: number;
  readonly who: string;
}

export function promptCacheTips(spends: readonly Spend[]): TipFields[] {
  const able = spends.filter(caches);
  return able.flatMap((spend) => {
    const { key, target, sums, price } = spend;
    const example = exampleFor(spend, able);
    const share = shareOf(sums);
    if (!price || !example || example.share < LEAST_SHARE || share > example.share / 2) return [];
    const tokens = Math.round((example.share - share) * sums.inputTokens);
    const saves = savedBy(tokens, example, price);
    if (saves <= 0n) return [];
    const text = `${nameOf(target)} reads ${percent(share)} of its input from the provider's prompt cache, ${example.who} ${percent(example.share)}: as much of it would have saved ${dollars(saves)}`;
    return [{ kind: "prompt_cache", key, ...target, saves, text, advice: ADVICE }];
  });
}

const ADVICE =
  "Put what stays the same (instructions, tools, documents) first and what changes last, keep it to the letter, and mark it with cache_control where the provider wants marks. It saves only where prompts do begin alike, which the ledger cannot see.";

function caches({ price, sums }: Spend): boolean {
  return (
    price !== undefined &&
    price.cachedInputPicoPerToken < price.inputPicoPerToken &&
    sums.ok >= ENOUGH_ATTEMPTS &&
    sums.inputTokens / sums.ok >= LEAST_INPUT
  );
}

/** The key's other models; where it has none, the model's other keys. */
function exampleFor(spend: Spend, able: readonly Spend[]): Example | undefined {
  const name = nameOf(spend.target);
  const ofKey = able.filter((other) => other.key === spend.key && nameOf(other.target) !== name);
  if (ofKey.length > 0) return together(ofKey, "the key's other models");
  const ofModel = able.filter((other) => other.key !== spend.key && nameOf(other.target) === name);
  return ofModel.length > 0 ? together(ofModel, "at other keys") : undefined;
}

function together(spends: readonly Spend[], who: string): Example {
  let [input, cached, written] = [0, 0, 0];
  for (const { sums } of spends) {
    input += sums.inputTokens;
    cached += sums.cachedInputTokens;
    written += sums.cacheWriteTokens;
  }
  return { share: cached / input, written: cached === 0 ? 0 : written / cached, who };
}

/** What is to be read has to be written first, which some providers charge for. */
function savedBy(tokens: number, { written }: Example, price: ModelPrice): PicoUsd {
  const { inputPicoPerToken, cachedInputPicoPerToken, cacheWritePicoPerToken } = price;
  const read = (inputPicoPerToken - cachedInputPicoPerToken) * BigInt(tokens);
  const more = (cacheWritePicoPerToken - inputPicoPerToken) * BigInt(Math.round(tokens * written));
  return (read - more) as PicoUsd;
}

function shareOf({ inputTokens, cachedInputTokens }: UsageSums): number {
  return cachedInputTokens / inputTokens;
}
