/** Jobs to submit and what becomes of them, with what a test does not care about filled in. */
import type {
  BatchDraft,
  Ending,
  JobStore,
  NewJob,
  Owner,
  RunKey,
  Submission,
  Submitted,
  TakenJob,
} from "../../src/core/job-store.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { onQueueClock } from "./queue-clock.ts";
import { type Engine, engines } from "./stores.ts";

/** When all of it happens. */
export const NOW = 1_800_000_000_000;
export const OWNER: Owner = { tenant: "internal", principal: "anonymous" };

/** Those that are here, where time is what a test says. */
export function jobEngines(what: string): Engine[] {
  return engines(what).map((engine) => ({
    ...engine,
    async place() {
      const place = await engine.place();
      const { databaseUrl } = place.where;
      if (!databaseUrl) return place;
      return {
        ...place,
        open: async (instance) => onQueueClock(await place.open(instance), databaseUrl, NOW),
      };
    },
  }));
}

/** By default it is due, and may wait for a minute. */
export function jobOf(jobId: string, init: Partial<NewJob> = {}): NewJob {
  return {
    ...OWNER,
    jobId,
    batchId: "",
    customId: "",
    priority: 0,
    createdAtMs: NOW,
    dueAtMs: NOW,
    startWithinMs: 60_000,
    model: "openai/gpt-4o",
    metadata: {},
    callbackUrl: "",
    estimatedPicoUsd: 900n as PicoUsd,
    traceparent: "",
    request: new Uint8Array([1, 2, 3]),
    ...init,
  };
}

export function submissionOf(jobs: readonly NewJob[], init: Partial<Submission> = {}): Submission {
  return {
    batch: undefined,
    jobs,
    idempotencyKey: "",
    fingerprint: "",
    maxPending: 1_000,
    maxStored: 1_000,
    ...init,
  };
}

export function submit(store: JobStore, ...jobs: readonly NewJob[]): Promise<Submitted> {
  return store.submit(submissionOf(jobs));
}

/** A batch with a job for each id. */
export function batchOf(
  batchId: string,
  jobIds: readonly string[],
  init: Partial<BatchDraft> = {},
  job: Partial<NewJob> = {},
): Submission {
  const batch = { ...OWNER, batchId, createdAtMs: NOW, callbackUrl: "", ...init };
  const { tenant, principal } = batch;
  const jobs = jobIds.map((id) =>
    jobOf(id, { batchId, customId: `custom ${id}`, tenant, principal, ...job }),
  );
  return submissionOf(jobs, { batch });
}

/** The one that is next. */
export async function takeOne(store: JobStore, nowMs = NOW): Promise<TakenJob & { readonly run: RunKey }> {
  const [taken] = await store.take(1, nowMs);
  if (!taken) throw new Error("no job is due");
  return { ...taken, run: runOf(taken) };
}

export function runOf({ job }: TakenJob): RunKey {
  return { jobId: job.jobId, run: job.runs };
}

/** By default it went well, at once, and cost 500. */
export function endingOf(init: Partial<Ending> = {}): Ending {
  return {
    state: "completed",
    atMs: NOW,
    failure: undefined,
    result: new Uint8Array([4, 5]),
    costPicoUsd: 500n as PicoUsd,
    ...init,
  };
}

export function idsOf(taken: readonly TakenJob[]): string[] {
  return taken.map(({ job }) => job.jobId);
}
