/**
 * What the tokens of an hour cost by the prices of now, whatever they were booked at: two hours that are compared by it
 * differ in what was asked for, never in prices.
 */
import type { UsageSums } from "../../core/usage-store.ts";
import type { ModelPrice } from "../catalog.ts";

/**
 * In pico-dollars. By the standard rates: sums do not know of which request a token was, nor in which service tier.
 * Without a price it is what was booked.
 */
export function worthOf(price: ModelPrice | undefined, sums: UsageSums): number {
  if (!price) return Number(sums.costPicoUsd);
  const { inputTokens, outputTokens } = sums;
  const cached = Math.min(sums.cachedInputTokens, inputTokens);
  const written = Math.min(sums.cacheWriteTokens, inputTokens - cached);
  const thought = Math.min(sums.reasoningTokens, outputTokens);
  return (
    (inputTokens - cached - written) * Number(price.inputPicoPerToken) +
    cached * Number(price.cachedInputPicoPerToken) +
    written * Number(price.cacheWritePicoPerToken) +
    (outputTokens - thought) * Number(price.outputPicoPerToken) +
    thought * Number(price.reasoningPicoPerToken) +
    sums.ok * Number(price.picoPerRequest)
  );
}
