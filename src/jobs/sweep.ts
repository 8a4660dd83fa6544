/** Ends jobs that nobody could begin in time, and deletes what is older than it is to be kept. */
import type { Clock, Timer } from "../core/clock.ts";
import type { JobStore } from "../core/job-store.ts";

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

export function sweepJobs(options: SweepOptions): { close(): Promise<void> } {
  const { store, clock } = options;
  let timer: Timer | undefined;
  let sweeping: Promise<void> = Promise.resolve();
  let closed = false;
  const sweep = async () => {
    try {
      const expired = await store.expire(clock.now());
      if (expired > 0) options.onExpired(expired);
      const endedBeforeMs = clock.now() - options.resultTtlMs();
      await store.purge(endedBeforeMs, endedBeforeMs - RECORD_MS);
    } catch (error) {
      options.onError(error);
    }
  };
  const later = () => {
    if (closed) return;
    timer = clock.after(SWEEP_MS, () => {
      sweeping = sweep().finally(later);
    });
  };
  later();
  return {
    async close() {
      closed = true;
      timer?.cancel();
      await sweeping;
    },
  };
}
