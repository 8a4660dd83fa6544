/** What an attempt may cost, before it is made: at the least, as expected, and at most. It sends and holds nothing. */
import { type PicoUsd, sum, times } from "../core/money.ts";
import { usage } from "../core/usage.ts";
import type { ModelPrice } from "./catalog.ts";
import { certainTier, worstRates } from "./ceiling.ts";
import type { Demand } from "./forecast.ts";
import { priced } from "./price.ts";

/** Where nothing limits an answer: what is held ready for it, and then asked of the provider as its limit. */
const BOUNDLESS_TOKENS = 128_000;

export interface Quote {
  /** With less there is no answer. */
  readonly least: PicoUsd;
  /** @param maxTokens what money lowers each answer to */
  expected(maxTokens: number | undefined): PicoUsd;
  /** With less the answer may end before its time. */
  readonly wanted: PicoUsd;
  readonly most: PicoUsd;
  /** What all of the input, and `tokens` of each answer, cost at most. */
  cost(tokens: number): PicoUsd;
  /** The same for so many tokens of all answers together. */
  spent(tokens: number): PicoUsd;
  /** The most tokens that each answer may have for so much money; 0 for none, and infinitely many where they are free. */
  affords(money: PicoUsd): number;
}

export function quote(model: ModelPrice, demand: Demand): Quote {
  const { inputTokens, maxInputTokens, answers, expectedTokens, meanTokens, likelyTokens, maxTokens } =
    demand;
  const rates = worstRates(model, maxInputTokens, demand);
  const input = sum(rates.fixedPico, times(rates.inputPicoPerToken, maxInputTokens));
  const perToken = rates.outputPicoPerToken;
  const spent = (tokens: number) => sum(input, times(perToken, tokens));
  const cost = (tokens: number) => spent(tokens * answers);
  const limit = maxTokens ?? BOUNDLESS_TOKENS;
  return {
    least: cost(Math.min(expectedTokens, limit)),
    expected: (lowered = limit) => {
      const outputTokens = Math.min(meanTokens, limit, lowered) * answers;
      const tokens = { inputTokens, outputTokens, ...demand.cache };
      const expected = usage("estimated", { ...tokens, serviceTier: certainTier(demand) });
      return priced(model, expected, demand.images)?.total ?? input;
    },
    wanted: cost(demand.asked ? limit : Math.min(likelyTokens, limit)),
    most: cost(limit),
    cost,
    spent,
    affords: (money) => {
      const left = money - input;
      if (left < 0n) return 0;
      const forEach = times(perToken, answers);
      return forEach === 0n ? Number.POSITIVE_INFINITY : Number(left / forEach);
    },
  };
}
