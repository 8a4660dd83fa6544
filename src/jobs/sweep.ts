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

const SWEEP_MS = 1_000;
/** What became of a job can be asked for so long after its result is gone. */
const RECORD_MS = 86_400_000;

export function sweepJobs(options: SweepOptions): Repeated {
  const { store, clock } = options;
  return repeat(clock, SWEEP_MS, async () => {
    try {
      const expired = await store.expire(clock.now());
      if (expired > 0) options.onExpired(expired);
      const endedBeforeMs = clock.now() - options.resultTtlMs();
      await store.purge(endedBeforeMs, endedBeforeMs - RECORD_MS);
    } catch (error) {
      options.onError(error);
    }
  });
}
