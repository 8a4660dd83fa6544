import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PicoUsd } from "../../src/core/money.ts";
import { affordableOutputTokens } from "../../src/cost/ceiling.ts";
import { INPUT, OUTPUT, priceOf } from "../support/prices.ts";

const model = priceOf("gpt-4o");
const money = (amount: bigint) => amount as PicoUsd;

describe("affordableOutputTokens", () => {
  it("is what is left after the input, in whole tokens for each choice", () => {
    expect(affordableOutputTokens(model, money(5n * INPUT + 7n * OUTPUT), 5, 1)).toBe(7);
    expect(affordableOutputTokens(model, money(5n * INPUT + 7n * OUTPUT - 1n), 5, 1)).toBe(6);
    expect(affordableOutputTokens(model, money(5n * INPUT + 7n * OUTPUT), 5, 3)).toBe(2);
  });

  it("is nothing when not even the input can be paid", () => {
    expect(affordableOutputTokens(model, money(5n * INPUT - 1n), 5, 1)).toBe(0);
    expect(affordableOutputTokens(model, money(5n * INPUT), 5, 1)).toBe(0);
    expect(affordableOutputTokens(model, money(-1n), 0, 1)).toBe(0);
  });

  it("is counted at the prices of the tier that the input reaches", () => {
    const tiered = priceOf("tiered");
    expect(affordableOutputTokens(tiered, money(100n * INPUT + 6n * OUTPUT), 100, 1)).toBe(6);
    expect(affordableOutputTokens(tiered, money(202n * INPUT + 6n * OUTPUT), 101, 1)).toBe(2);
  });

  it("has no end where tokens are free", () => {
    expect(affordableOutputTokens(priceOf("free"), money(0n), 1_000, 1)).toBe(Number.POSITIVE_INFINITY);
  });

  it("is the most that keeps the ceiling: one token more would break it", () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, 10n ** 15n),
        fc.nat(100_000),
        fc.integer({ min: 1, max: 128 }),
        (given, input, n) => {
          const tokens = BigInt(affordableOutputTokens(model, money(given), input, n));
          const cost = (output: bigint) => BigInt(input) * INPUT + output * BigInt(n) * OUTPUT;
          if (tokens > 0n) expect(cost(tokens) <= given).toBe(true);
          expect(cost(tokens + 1n) > given).toBe(true);
        },
      ),
    );
  });
});
