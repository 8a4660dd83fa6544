import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LastMinute } from "../../src/core/last-minute.ts";
import { VirtualClock } from "../support/clock.ts";

describe("the counts of the last minute", () => {
  it("hold what was counted within it, each by itself", async () => {
    const clock = new VirtualClock();
    const counts = new LastMinute(clock, 2);
    counts.add(0);
    counts.add(1, 5);
    await clock.advance(30_000);
    counts.add(0, 2);
    expect([counts.total(0), counts.total(1)]).toEqual([3, 5]);
    await clock.advance(31_000);
    expect([counts.total(0), counts.total(1)]).toEqual([2, 0]);
    await clock.advance(3_600_000);
    expect(counts.total(0)).toBe(0);
  });

  it("are let go of a minute later, too, where the clock was set back", () => {
    let nowMs = 10_000_000;
    const counts = new LastMinute({ now: () => nowMs, after: () => expect.fail("it waits for nothing") }, 1);
    counts.add(0);
    nowMs -= 3_600_000;
    counts.add(0);
    expect(counts.total(0)).toBe(2);
    nowMs += 65_000;
    expect(counts.total(0)).toBe(0);
  });

  it("are those of the steps that it spans, whenever they are asked for", async () => {
    const moves = fc.array(fc.tuple(fc.nat(90_000), fc.nat(9)), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(moves, async (given) => {
        const clock = new VirtualClock();
        const counts = new LastMinute(clock, 1);
        const told: [step: number, count: number][] = [];
        for (const [ms, count] of given) {
          await clock.advance(ms);
          const step = Math.floor(clock.now() / 5_000);
          counts.add(0, count);
          told.push([step, count]);
          const within = told.filter(([at]) => at > step - 12);
          expect(counts.total(0)).toBe(within.reduce((sum, [, one]) => sum + one, 0));
        }
      }),
    );
  });
});
