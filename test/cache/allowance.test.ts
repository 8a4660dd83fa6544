/** The money that several calls share: never more than there is, and none held back for nothing. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { PicoUsd } from "../../src/core/money.ts";
import { Allowance } from "../../src/rpc/allowance.ts";

const pico = (amount: bigint) => amount as PicoUsd;

test("without a limit, nothing is held and nothing refused", () => {
  const allowance = new Allowance(undefined);
  expect(allowance.hasPlenty(pico(10n ** 18n), 1)).toBe(true);
  expect(allowance.take(pico(10n ** 18n), 4)).toBeUndefined();
  allowance.settle(undefined, 5n);
});

test("a share is what is left over the places, or all of it where that is little", () => {
  const allowance = new Allowance(pico(100n));
  expect(allowance.take(pico(10n), 4)).toBe(25n);
  expect(allowance.take(pico(37n), 3)).toBe(75n);
  expect(allowance.take(pico(0n), 1)).toBe("none");
  allowance.settle(pico(75n), 30n);
  expect(allowance.take(pico(23n), 1)).toBe("none");
  expect(allowance.take(pico(22n), 1)).toBe(45n);
});

test("what is spent is never above the limit, whatever comes when", () => {
  const step = fc.record({
    expected: fc.option(fc.bigInt(0n, 500n), { nil: undefined }),
    places: fc.integer({ min: 1, max: 32 }),
    // Of its share; a cost that is not known is booked as the whole.
    spent: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
    settles: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.bigInt(1n, 10_000n), fc.array(step, { maxLength: 60 }), (most, steps) => {
      const allowance = new Allowance(pico(most));
      const open: { share: PicoUsd; cost: bigint | undefined }[] = [];
      let gone = 0n;
      for (const { expected, places, spent, settles } of steps) {
        const share = allowance.take(expected === undefined ? undefined : pico(expected), places);
        if (share !== "none" && share !== undefined) {
          const cost = spent === undefined ? undefined : (share * BigInt(spent)) / 100n;
          open.push({ share, cost });
        }
        expect(gone + open.reduce((held, one) => held + one.share, 0n)).toBeLessThanOrEqual(most);
        for (const one of open.splice(0, settles)) {
          allowance.settle(one.share, one.cost);
          gone += one.cost ?? one.share;
        }
      }
    }),
  );
});
