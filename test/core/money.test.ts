import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromUsd, type PicoUsd, picoPerToken, sum, times, toUsd, ZERO } from "../../src/core/money.ts";

/** Below this many pico-USD, some 9,007 dollars, a double holds every amount. */
const EXACT = BigInt(Number.MAX_SAFE_INTEGER);
const amounts = fc.bigInt({ min: 0n, max: EXACT }).map((amount) => amount as PicoUsd);

describe("toUsd", () => {
  it("gives the double nearest to the amount, as if it had been written out", () => {
    fc.assert(
      fc.property(amounts, (amount) => {
        expect(toUsd(amount)).toBe(Number(`${amount}e-12`));
      }),
    );
  });

  it("writes the plan's prices as people do", () => {
    expect(toUsd(37_500n as PicoUsd)).toBe(0.0000000375);
    expect(toUsd(100_000_000n as PicoUsd)).toBe(0.0001);
    expect(toUsd(ZERO)).toBe(0);
  });
});

describe("fromUsd", () => {
  it("never gives more than was written, and less by no more than the last pico-USD", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n }), (amount) => {
        const read = fromUsd(Number(`${amount}e-12`));
        expect(read <= amount && read >= amount - 1n).toBe(true);
      }),
    );
  });

  it("rounds what is smaller than a pico-USD down", () => {
    expect(fromUsd(1.9e-12)).toBe(1n);
    expect(fromUsd(1e-13)).toBe(0n);
  });
});

describe("picoPerToken", () => {
  it("is exact for every whole number of pico-USD", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e12 }), (pico) => {
        expect(picoPerToken(Number(`${pico}e-9`))).toBe(BigInt(pico));
      }),
    );
  });

  it("refuses a price that would be charged wrongly from the first token on", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e8 }), fc.constantFrom(0.25, 0.5, 0.75), (pico, part) => {
        expect(() => picoPerToken((pico + part) / 1e9)).toThrow(RangeError);
      }),
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e10])("refuses %s", (price) => {
    expect(() => picoPerToken(price)).toThrow(RangeError);
  });
});

it("sums and multiplies without drift, where doubles would not", () => {
  const price = 37_500n as PicoUsd;
  let total = ZERO;
  for (let call = 0; call < 1_000_000; call++) total = sum(total, times(price, 3));
  expect(total).toBe(112_500_000_000n);
  expect(toUsd(total)).toBe(0.1125);
  fc.assert(
    fc.property(amounts, amounts, fc.nat(), (a, b, count) => {
      expect(times(sum(a, b), count)).toBe(times(a, count) + times(b, count));
    }),
  );
});
