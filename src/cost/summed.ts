/** What the tokens of many attempts together cost at a price. It knows neither who paid nor what was booked. */
import { type PicoUsd, times } from "../core/money.ts";
import type { UsageSums } from "../core/usage-store.ts";
import type { ModelPrice } from "./catalog.ts";

export type Tokens = Pick<
  UsageSums,
  "inputTokens" | "cachedInputTokens" | "cacheWriteTokens" | "outputTokens" | "reasoningTokens" | "ok"
>;

/** By the standard rates: sums do not know of which request a token was, nor in which service tier. */
export function pricedTogether(price: ModelPrice, tokens: Tokens): PicoUsd {
  const { inputTokens, outputTokens } = tokens;
  const cached = Math.min(tokens.cachedInputTokens, inputTokens);
  const written = Math.min(tokens.cacheWriteTokens, inputTokens - cached);
  const thought = Math.min(tokens.reasoningTokens, outputTokens);
  return (times(price.inputPicoPerToken, inputTokens - cached - written) +
    times(price.cachedInputPicoPerToken, cached) +
    times(price.cacheWritePicoPerToken, written) +
    times(price.outputPicoPerToken, outputTokens - thought) +
    times(price.reasoningPicoPerToken, thought) +
    times(price.picoPerRequest, tokens.ok)) as PicoUsd;
}
