import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PicoUsd } from "../../src/core/money.ts";
import type { Demand } from "../../src/cost/forecast.ts";
import { NOTHING_CACHED } from "../../src/cost/prompt-caches.ts";
import { quote } from "../../src/cost/quote.ts";
import { INPUT, OUTPUT, priceOf } from "../support/prices.ts";

const model = priceOf("gpt-4o");
const money = (amount: bigint) => amount as PicoUsd;

function demand(given: Partial<Demand> = {}): Demand {
  return {
    inputTokens: 5,
    maxInputTokens: 5,
    answers: 1,
    answersLike: "openai/gpt-4o",
    expectedTokens: 10,
    meanTokens: 12,
    likelyTokens: 100,
    maxTokens: 1_000,
    asked: false,
    visible: true,
    asksThoughts: false,
    images: 0,
    cacheWrites: "none",
    cache: NOTHING_CACHED,
    media: false,
    ...given,
  };
}

describe("what money affords", () => {
  it("is what is left after the input, in whole tokens for each answer", () => {
    expect(quote(model, demand()).affords(money(5n * INPUT + 7n * OUTPUT))).toBe(7);
    expect(quote(model, demand()).affords(money(5n * INPUT + 7n * OUTPUT - 1n))).toBe(6);
    expect(quote(model, demand({ answers: 3 })).affords(money(5n * INPUT + 7n * OUTPUT))).toBe(2);
  });

  it("is nothing when not even the input can be paid", () => {
    expect(quote(model, demand()).affords(money(5n * INPUT - 1n))).toBe(0);
    expect(quote(model, demand()).affords(money(5n * INPUT))).toBe(0);
    expect(quote(model, demand({ maxInputTokens: 0 })).affords(money(-1n))).toBe(0);
  });

  it("has no end where tokens are free, and where none is written", () => {
    expect(quote(priceOf("free"), demand()).affords(money(0n))).toBe(Number.POSITIVE_INFINITY);
    expect(quote(model, demand({ answers: 0 })).affords(money(5n * INPUT))).toBe(Number.POSITIVE_INFINITY);
  });

  it("is counted at the prices of the tier that the input may reach", () => {
    const tiered = priceOf("tiered");
    expect(quote(tiered, demand({ maxInputTokens: 100 })).affords(money(100n * INPUT + 6n * OUTPUT))).toBe(6);
    expect(quote(tiered, demand({ maxInputTokens: 101 })).affords(money(202n * INPUT + 6n * OUTPUT))).toBe(2);
  });

  it("is the most that keeps the limit: one token more would break it", () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, 10n ** 15n),
        fc.nat(100_000),
        fc.integer({ min: 1, max: 128 }),
        (given, maxInputTokens, answers) => {
          const quoted = quote(model, demand({ maxInputTokens, answers }));
          const tokens = quoted.affords(money(given));
          if (tokens > 0) expect(quoted.cost(tokens) <= given).toBe(true);
          expect(quoted.cost(tokens + 1) > given).toBe(true);
        },
      ),
    );
  });
});

describe("what an attempt costs", () => {
  const cost = (tokens: bigint, input = 5n) => input * INPUT + tokens * OUTPUT;

  it("is expected by what answers have on average, and by the input as it is estimated", () => {
    const quoted = quote(model, demand({ maxInputTokens: 9 }));
    expect(quoted.expected(undefined)).toBe(cost(12n));
    expect(quoted.expected(4)).toBe(cost(4n));
    expect(quoted.least).toBe(cost(10n, 9n));
  });

  it("is wanted by what answers seldom exceed, or by the caller's own limit", () => {
    expect(quote(model, demand()).wanted).toBe(cost(100n));
    expect(quote(model, demand({ maxTokens: 60 })).wanted).toBe(cost(60n));
    expect(quote(model, demand({ maxTokens: 500, asked: true })).wanted).toBe(cost(500n));
  });

  it("is at most what the limit of each answer comes to", () => {
    expect(quote(model, demand({ answers: 2 })).most).toBe(cost(2_000n));
    expect(quote(model, demand({ maxTokens: undefined })).most).toBe(cost(128_000n));
  });

  it("is never above the next of these: least, wanted, most", () => {
    const tokens = fc.nat(10_000);
    fc.assert(
      fc.property(
        tokens,
        tokens,
        fc.option(tokens, { nil: undefined }),
        fc.boolean(),
        (a, b, maxTokens, asked) => {
          const [expectedTokens, likelyTokens] = [Math.min(a, b), Math.max(a, b)];
          const { least, wanted, most } = quote(
            model,
            demand({ expectedTokens, likelyTokens, maxTokens, asked: asked && maxTokens !== undefined }),
          );
          expect(least <= wanted && wanted <= most).toBe(true);
        },
      ),
    );
  });
});
