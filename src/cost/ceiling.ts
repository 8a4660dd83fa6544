/** What an answer may have when its money is limited. Knows prices alone, and estimates nothing. */
import { type PicoUsd, times } from "../core/money.ts";
import { type ModelPrice, ratesAt } from "./catalog.ts";

/**
 * The most tokens that each of several answers may have, after the input is
 * read for the same money; 0 when not one is affordable. A reply without
 * answers is as dear as its input, and has no limit.
 */
export function affordableOutputTokens(
  model: ModelPrice,
  money: PicoUsd,
  inputTokens: number,
  choices: number,
): number {
  const { inputPicoPerToken, outputPicoPerToken } = ratesAt(model, inputTokens);
  const left = money - times(inputPicoPerToken, inputTokens);
  if (left < 0n) return 0;
  const forEach = outputPicoPerToken * BigInt(choices);
  return forEach === 0n ? Number.POSITIVE_INFINITY : Number(left / forEach);
}
