import fc from "fast-check";
import { expect, it } from "vitest";
import { Share } from "../../src/resilience/share.ts";
import { VirtualClock } from "../support/clock.ts";

it("never gives more than its share of the last minute's calls, or the least", async () => {
  const moves = fc.array(fc.tuple(fc.constantFrom("offer", "take"), fc.nat(20_000)), { maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(moves, fc.nat(4), async (given, least) => {
      const clock = new VirtualClock();
      const share = new Share(clock);
      const told: { at: number; taken: boolean }[] = [];
      for (const [move, ms] of given) {
        await clock.advance(ms / 20);
        if (move === "offer") share.offered();
        const taken = move === "take" && share.take({ ratio: 0.2, least });
        if (move === "offer" || taken) told.push({ at: clock.now(), taken });
        if (!taken) continue;
        // By the steps in which time is counted.
        const within = told.filter(({ at }) => Math.floor(at / 5_000) > Math.floor(clock.now() / 5_000) - 12);
        const takes = within.filter((one) => one.taken).length;
        expect(takes).toBeLessThanOrEqual(Math.max(least, 0.2 * (within.length - takes)));
      }
    }),
  );
});

it("gives again what a minute has taken back", async () => {
  const clock = new VirtualClock();
  const share = new Share(clock);
  const rule = { ratio: 0.2, least: 1 };
  expect([share.take(rule), share.take(rule)]).toEqual([true, false]);
  await clock.advance(65_000);
  expect(share.take(rule)).toBe(true);
});
