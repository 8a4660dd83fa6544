/** What an attempt costs at the least. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { usage } from "../../src/core/usage.ts";
import { worstRates } from "../../src/cost/ceiling.ts";
import { leastCost } from "../../src/cost/floor.ts";
import { priced } from "../../src/cost/price.ts";
import { INPUT, priceOf } from "../support/prices.ts";

it("is that of the input, and nothing for what may not be cached", () => {
  const model = priceOf("gpt-4o");
  expect(leastCost(model, 7, 20, { cacheWrites: "none", media: false })).toBe(7n * INPUT);
  expect(leastCost(model, 7, 20, { cacheWrites: "default", media: false })).toBeLessThanOrEqual(7n * INPUT);
});

it("is at or below any usage, as the most is at or above", () => {
  const tokens = fc.nat(400);
  const names = ["gpt-4o", "tiered", "free", "boundless"];
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      tokens,
      tokens,
      tokens,
      tokens,
      (name, input, cached, written, output) => {
        const model = priceOf(name);
        const cachedInputTokens = Math.min(cached, input);
        const cacheWriteTokens = Math.min(written, input - cachedInputTokens);
        const used = { inputTokens: input, cachedInputTokens, cacheWriteTokens, outputTokens: output };
        const cost = priced(model, usage("measured", used))?.total ?? -1n;
        const foreseen = { cacheWrites: "1h", media: false } as const;
        const { inputPicoPerToken, outputPicoPerToken } = worstRates(model, input, foreseen);
        expect(leastCost(model, input, input, foreseen) <= cost).toBe(true);
        expect(cost <= inputPicoPerToken * BigInt(input) + outputPicoPerToken * BigInt(output)).toBe(true);
      },
    ),
  );
});
