import fc from "fast-check";
import { expect, it } from "vitest";
import { usage } from "../../src/core/usage.ts";
import { price } from "../../src/cost/price.ts";
import { CACHE_WRITE, CACHED, INPUT, OUTPUT, priceOf } from "../support/prices.ts";

const model = priceOf("gpt-4o");

it("charges each kind of token at its own price, and each token once", () => {
  const used = usage("measured", {
    inputTokens: 100,
    cachedInputTokens: 30,
    cacheWriteTokens: 20,
    outputTokens: 7,
    reasoningTokens: 5,
  });
  expect(price(model, used)).toBe(50n * INPUT + 30n * CACHED + 20n * CACHE_WRITE + 7n * OUTPUT);
});

it("charges cached input like fresh input where the catalog says nothing else", () => {
  const used = usage("measured", { inputTokens: 100, cachedInputTokens: 30, cacheWriteTokens: 20 });
  expect(price(priceOf("boundless"), used)).toBe(100n * INPUT);
});

it("charges estimates like measurements, and does not know the cost of what nobody knows", () => {
  expect(price(model, usage("estimated", { inputTokens: 1 }))).toBe(INPUT);
  expect(price(model, usage("unknown"))).toBeUndefined();
  expect(price(model, usage("measured"))).toBe(0n);
});

it("never charges less than nothing for input, whatever a provider reports", () => {
  const used = usage("measured", { inputTokens: 10, cachedInputTokens: 30 });
  expect(price(model, used)).toBe(30n * CACHED);
});

it("charges an hour's cache, what is heard and what is spoken at their own prices", () => {
  const rich = priceOf("rich");
  const used = usage("measured", {
    inputTokens: 100,
    cachedInputTokens: 10,
    cacheWriteTokens: 20,
    cacheWrite1hTokens: 5,
    audioInputTokens: 30,
    outputTokens: 9,
    audioOutputTokens: 4,
  });
  // 40 read, 30 heard, 10 cached, 15 and 5 written to the cache, 5 written, 4 spoken.
  expect(price(rich, used)).toBe(
    (40n * 1n + 30n * 2n + 10n * 1n + 15n * 3n + 5n * 4n + 5n * 10n + 4n * 20n) * 1_000_000n,
  );
});

it("counts no token twice where a provider reports more of a kind than of all", () => {
  const used = usage("measured", { inputTokens: 5, cacheWrite1hTokens: 9, audioInputTokens: 9 });
  expect(price(priceOf("rich"), used)).toBe(5n * 2_000_000n);
});

it("charges all of a long call more, by its whole input, cached tokens included", () => {
  const long = (cachedInputTokens: number) =>
    usage("measured", { inputTokens: 100, cachedInputTokens, outputTokens: 1 });
  expect(price(priceOf("tiered"), long(60))).toBe(100n * INPUT + OUTPUT);
  const longer = usage("measured", { inputTokens: 101, cachedInputTokens: 60, outputTokens: 1 });
  expect(price(priceOf("tiered"), longer)).toBe(101n * 2n * INPUT + 3n * OUTPUT);
});

it("costs the same for the parts as for the whole", () => {
  const tokens = fc.nat({ max: 1_000_000 });
  fc.assert(
    fc.property(tokens, tokens, tokens, tokens, (a, b, c, d) => {
      const one = price(model, usage("measured", { inputTokens: a, outputTokens: b })) ?? 0n;
      const other = price(model, usage("measured", { inputTokens: c, outputTokens: d })) ?? 0n;
      expect(price(model, usage("measured", { inputTokens: a + c, outputTokens: b + d }))).toBe(one + other);
    }),
  );
});
