/** Ends jobs that nobody could begin in time, and deletes what is older than it is to be kept. */
import type { Clock } from "../core/clock.ts";
import type { JobStore } from "../core/job-store.ts";
import { type Repeated, repeat } from "../core/repeat.ts";

export interface SweepOptions {
  readonly store: Pick<JobStore, "expire" | "purge">;
  readonly clock: Clock;
  readonly resultTtlMs: () => number;
  /** Told of jobs that expired, whose ends are to be told. */
  onExpired(jobs: number): void;
  onError(error: unknown): void;
}

const EXPIRE_MS = 1_000;
/** More seldom, since it looks each time at all that has ended of batches that have not: tens of thousands of jobs. */
const PURGE_MS = 10_000;
/** What became of a job can be asked for so long after its result is gone. */
const RECORD_MS = 86_400_000;

export function sweepJobs({ store, clock, resultTtlMs, onExpired, onError }: SweepOptions): Repeated {
  const expiring = repeat(clock, EXPIRE_MS, async () => {
    try {
      const expired = await store.expire(clock.now());
      if (expired > 0) onExpired(expired);
    } catch (error) {
      onError(error);
    }
  });
  const purging = repeat(clock, PURGE_MS, async () => {
    const endedBeforeMs = clock.now() - resultTtlMs();
    await store.purge(endedBeforeMs, endedBeforeMs - RECORD_MS).catch(onError);
  });
  return {
    async stop() {
      await Promise.all([expiring.stop(), purging.stop()]);
    },
  };
}
