import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FailedTry, MAX_RETRY_AFTER_MS, nextTryMs } from "../../../src/jobs/webhook/schedule.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function tried(changes: Partial<FailedTry> = {}): FailedTry {
  const { attempts = 1, sinceMs = 0, startedAtMs = 0 } = changes;
  return { attempts, sinceMs, startedAtMs, endedAtMs: startedAtMs, retryAfterMs: undefined, ...changes };
}

/** The tries of one webhook that nobody takes, in seconds since the job's end. */
function tries(giveUpAfterMs: number, random: number): number[] {
  const times: number[] = [];
  let dueAtMs: number | undefined = 0;
  while (dueAtMs !== undefined && times.length < 100) {
    times.push(Math.round(dueAtMs / 1_000));
    dueAtMs = nextTryMs(tried({ attempts: times.length, startedAtMs: dueAtMs }), giveUpAfterMs, random);
  }
  return times;
}

describe("the schedule", () => {
  it("goes from seconds to hours, with a last try when the time is up", () => {
    expect(tries(DAY, 0)).toEqual([0, 5, 35, 155, 755, 2_555, 6_155, 13_355, 27_755, 49_355, 70_955, 86_400]);
  });

  it("is later by a fifth at most", () => {
    expect(tries(DAY, 1)).toEqual([0, 6, 42, 186, 906, 3_066, 7_386, 16_026, 33_306, 59_226, 85_146, 86_400]);
  });

  it("is a single try where nothing else is wanted", () => {
    expect(tries(0, 0.5)).toEqual([0]);
  });

  it("begins with the short distances for a first try that came late", () => {
    expect(nextTryMs(tried({ startedAtMs: 5 * HOUR }), DAY, 0)).toBe(5 * HOUR + 5_000);
  });

  it("begins anew with a redelivery, though tries are counted on", () => {
    const again = tried({ attempts: 30, sinceMs: 9 * DAY, startedAtMs: 9 * DAY });
    expect(nextTryMs(again, DAY, 0)).toBe(9 * DAY + 5_000);
  });

  it("gives a receiver the rest that it asks for, within bounds, and never comes sooner for it", () => {
    expect(nextTryMs(tried({ retryAfterMs: 60_000 }), DAY, 0)).toBe(60_000);
    expect(nextTryMs(tried({ retryAfterMs: 1_000 }), DAY, 0)).toBe(5_000);
    expect(nextTryMs(tried({ retryAfterMs: Number.MAX_SAFE_INTEGER }), DAY, 0)).toBe(MAX_RETRY_AFTER_MS);
  });

  it("is never in the past nor beyond the end, whatever happens", () => {
    const time = fc.integer({ min: 0, max: 3 * DAY });
    const count = fc.integer({ min: 1, max: 50 });
    const unit = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
    fc.assert(
      fc.property(count, time, time, time, unit, (attempts, age, took, giveUpAfterMs, random) => {
        const endedAtMs = age + took;
        const due = nextTryMs(tried({ attempts, startedAtMs: age, endedAtMs }), giveUpAfterMs, random);
        if (age >= giveUpAfterMs) expect(due).toBeUndefined();
        else {
          expect(due).toBeGreaterThanOrEqual(endedAtMs);
          expect(due).toBeLessThanOrEqual(Math.max(giveUpAfterMs, endedAtMs));
        }
      }),
    );
  });
});
