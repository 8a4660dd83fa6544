import { expect, test } from "vitest";
import { sweepJobs } from "../../src/jobs/sweep.ts";
import { VirtualClock } from "../support/clock.ts";

const TTL_MS = 3_600_000;
const DAY_MS = 86_400_000;

test("jobs expire by the second, and are deleted more seldom, whether one or the other fails", async () => {
  const clock = new VirtualClock(10 * DAY_MS);
  const [expired, purged, errors]: [number[], number[][], unknown[]] = [[], [], []];
  const sweeping = sweepJobs({
    store: {
      async expire(nowMs) {
        if (expired.push(nowMs) % 2 === 0) throw new Error("away");
        return 3;
      },
      async purge(...before) {
        purged.push(before);
        throw new Error("away");
      },
    },
    clock,
    resultTtlMs: () => TTL_MS,
    onExpired: (jobs) => expect(jobs).toBe(3),
    onError: (error) => errors.push(error),
  });
  await clock.advance(20_000);
  expect(expired).toHaveLength(20);
  const endedMs = [10_000, 20_000].map((afterMs) => 10 * DAY_MS + afterMs - TTL_MS);
  expect(purged).toEqual(endedMs.map((beforeMs) => [beforeMs, beforeMs - DAY_MS]));
  expect(errors).toHaveLength(12);
  await sweeping.stop();
  await clock.advance(20_000);
  expect(expired).toHaveLength(20);
});
