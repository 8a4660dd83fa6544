/**
 * What is kept of every job and of every batch, and what jobs ask of a durable store: a queue that no crash empties
 * and no crash doubles. It knows neither how a job is run nor databases.
 */
import { type PicoUsd, ZERO } from "./money.ts";

export type JobState = "pending" | "running" | FinalState;
export type FinalState = "completed" | "failed" | "cancelled" | "expired";

/** Whose it is; nobody else can see it. */
export interface Owner {
  readonly tenant: string;
  /** The API key's name. */
  readonly principal: string;
}

/** What is said of a job when it is submitted. */
export interface JobDraft extends Owner {
  /** A UUIDv7. */
  readonly jobId: string;
  /** Empty for none, as is `customId`. */
  readonly batchId: string;
  readonly customId: string;
  /** More goes first. */
  readonly priority: number;
  readonly createdAtMs: number;
  /** Not before then. */
  readonly dueAtMs: number;
  /** How long its first run may be waited for, from then on. */
  readonly startWithinMs: number;
  /** `provider/model`, as the router chose. */
  readonly model: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Empty for none. */
  readonly callbackUrl: string;
  /** Absent when the price is not known. */
  readonly estimatedPicoUsd: PicoUsd | undefined;
  /** W3C `traceparent` of the submission; empty for none. */
  readonly traceparent: string;
}

export interface JobRecord extends JobDraft {
  readonly state: JobState;
  /** When its latest run began. */
  readonly startedAtMs: number | undefined;
  readonly endedAtMs: number | undefined;
  /** How many runs there were, with the one under way. The number of a run is its fence. */
  readonly runs: number;
  /** How many of them ended with the process that held them. */
  readonly lostRuns: number;
  /** What all runs cost; undefined when that of any is not known. */
  readonly costPicoUsd: PicoUsd | undefined;
  /** Of its latest run that failed; undefined for none. */
  readonly failure: StoredFailure | undefined;
  /** To be ended by whoever runs it. */
  readonly cancelRequested: boolean;
  /** What its run has said by now, as far as it was told by `renew`; empty once it ended. */
  readonly partial: string;
  /** Whether its result was deleted by `purge`. */
  readonly purged: boolean;
}

export interface StoredFailure {
  readonly kind: string;
  readonly message: string;
  readonly retryable: boolean;
}

/** A job with what it asks: a ChatRequest in Protobuf's binary form. */
export interface NewJob extends JobDraft {
  readonly request: Uint8Array;
}

export interface BatchDraft extends Owner {
  readonly batchId: string;
  readonly createdAtMs: number;
  readonly callbackUrl: string;
}

export interface BatchRecord extends BatchDraft {
  readonly cancelled: boolean;
  /** When the last of its jobs ended. */
  readonly endedAtMs: number | undefined;
  /** How many of its jobs are in each state. */
  readonly counts: Readonly<Record<JobState, number>>;
  readonly estimatedPicoUsd: PicoUsd | undefined;
  readonly costPicoUsd: PicoUsd | undefined;
}

/** By what a submission is known when it comes again. */
export interface SubmissionKey {
  /** Of the owner; empty for none. */
  readonly idempotencyKey: string;
  /** Tells whether what is sent again is the same. */
  readonly fingerprint: string;
}

export interface Submission extends SubmissionKey {
  /** Undefined for a job that stands alone. It is new, and its jobs bear its id. */
  readonly batch: BatchDraft | undefined;
  /** At least one, all of one owner. */
  readonly jobs: readonly NewJob[];
  /** How many jobs may wait then, whosever they are. */
  readonly maxPending: number;
  /** How many jobs may be kept then, those that have ended as well. */
  readonly maxStored: number;
}

export type Submitted =
  | { readonly outcome: "stored" }
  | Repeated
  /** Which limit refused it. */
  | { readonly outcome: "full"; readonly limit: "max_pending" | "max_stored" };

/** By the key: the job's or batch's id, and whether it was the same that was submitted then. */
export interface Repeated {
  readonly outcome: "repeated";
  readonly id: string;
  readonly same: boolean;
}

/** One run of a job. What is asked of the store for it is done only while it is the job's latest and under way. */
export interface RunKey {
  readonly jobId: string;
  readonly run: number;
}

/** A job that this process is to run. */
export interface TakenJob {
  /** `running`, with this run counted. */
  readonly job: JobRecord;
  readonly request: Uint8Array;
  /** What `park` kept of the run before. */
  readonly parked: string | undefined;
}

export interface Renewal extends RunKey {
  /** What the run has said by now; undefined when that has not changed. */
  readonly partial: string | undefined;
}

export interface Renewed extends RunKey {
  /** `lost` when the run is not this process's any more, and nothing that it comes to is kept. */
  readonly order: "go on" | "cancel" | "lost";
}

/** What a run came to, which is added to what the job has cost. Undefined when it is not known. */
export interface RunCost {
  readonly costPicoUsd: PicoUsd | undefined;
}

export interface Ending extends RunCost {
  readonly state: FinalState;
  readonly atMs: number;
  readonly failure: StoredFailure | undefined;
  /** A ChatResponse when it completed; else the Receipt of a run that had come to an attempt. */
  readonly result: Uint8Array | undefined;
}

export interface JobFilter {
  readonly state?: JobState | undefined;
  readonly batchId?: string | undefined;
  readonly model?: string | undefined;
  readonly createdAfterMs?: number | undefined;
  readonly createdBeforeMs?: number | undefined;
}

export interface Page<T> {
  readonly rows: readonly T[];
  /** Where the next page begins; undefined when there is none. */
  readonly next: string | undefined;
}

export interface Paging {
  readonly size: number;
  /** `next` of the page before; undefined for the first. */
  readonly after: string | undefined;
}

/** A job of a batch that has ended, and what it came to. */
export interface BatchOutcome {
  readonly job: JobRecord;
  readonly result: Uint8Array | undefined;
}

export interface JobCounts {
  readonly byState: Readonly<Record<JobState, number>>;
  /** When the first of those that wait was due, or will be. */
  readonly oldestDueAtMs: number | undefined;
  /** How many run since before the time that was asked for. */
  readonly stuck: number;
}

export interface JobStore {
  /** All of it or nothing, and safe when it resolves. */
  submit(submission: Submission): Promise<Submitted>;
  /** What the owner has submitted under the key; undefined for nothing. */
  submitted(owner: Owner, key: SubmissionKey): Promise<Repeated | undefined>;
  /**
   * Begins a run of each job that is due, and of each whose run is lost with its process; at most so many, those of
   * the highest priority and then the oldest first.
   */
  take(limit: number, nowMs: number): Promise<TakenJob[]>;
  /** Keeps runs this process's for another while; to be called every RENEW_MS. In the order of the runs. */
  renew(runs: readonly Renewal[], nowMs: number): Promise<Renewed[]>;
  /** Keeps what a run waits for outside of the process, for whichever takes the job up when this one is gone. */
  park(run: RunKey, parked: string): Promise<boolean>;
  /**
   * The job waits for another run; if it is to be cancelled, for one that is due at once. What was parked is gone.
   *
   * @returns false when the run was not this process's any more, as with the others below
   */
  retry(run: RunKey, dueAtMs: number, failure: StoredFailure, cost: RunCost): Promise<boolean>;
  /**
   * Gives a run back that came to nothing: it is not counted, but for what it cost. Until when the first may be waited
   * for is put off by no more than it took. As with `retry`, the job is due at once if it is to be cancelled and has
   * nothing parked that must be ended first.
   *
   * @param failure what became of what was parked, which is gone then; undefined where that stays
   */
  handBack(
    run: RunKey,
    nowMs: number,
    dueAtMs: number,
    cost: RunCost,
    failure?: StoredFailure,
  ): Promise<boolean>;
  /** The job's end, with its webhook and, with the last of a batch, that of the batch. */
  finish(run: RunKey, ending: Ending): Promise<boolean>;
  /**
   * Ends jobs that wait, and asks whoever runs the others to end them. One that waits with something parked is due at
   * once, since that is to be ended too. Those that have ended stay as they are.
   *
   * @param target a job, or all jobs of a batch, which is cancelled then
   * @returns false when the owner has no such job or batch
   */
  cancel(
    target: { readonly jobId: string } | { readonly batchId: string },
    owner: Owner,
    nowMs: number,
  ): Promise<boolean>;
  /** Ends jobs that have waited too long for their first run. Returns how many. */
  expire(nowMs: number): Promise<number>;
  /**
   * Of jobs whose webhook, and whose batch's, is not pending: deletes what is asked in and what is said of those that
   * ended before then, and forgets those that ended before `forgetBeforeMs`, a batch with its jobs. Those of a batch
   * count as ended with the last of them.
   */
  purge(endedBeforeMs: number, forgetBeforeMs: number): Promise<void>;
  /** Undefined when the owner has no such job. */
  get(jobId: string, owner: Owner): Promise<JobRecord | undefined>;
  /** What the job's end kept. Undefined when there is none, or no such job. */
  result(jobId: string): Promise<Uint8Array | undefined>;
  /** The newest first. */
  list(filter: JobFilter, owner: Owner, paging: Paging): Promise<Page<JobRecord>>;
  batch(batchId: string, owner: Owner): Promise<BatchRecord | undefined>;
  /** In the order of their end. There is a next page while the batch has not ended. */
  outcomes(batchId: string, owner: Owner, paging: Paging): Promise<Page<BatchOutcome>>;
  counts(runningSinceMs: number): Promise<JobCounts>;
}

/** How often runs are renewed. */
export const RENEW_MS = 2_000;
/** How long a run stays with a process that does not renew it. */
export const LEASE_MS = 15_000;

/** As it stands in the store until somebody takes it. */
export function untouched({ request: _, ...draft }: NewJob): JobRecord {
  return {
    ...draft,
    state: "pending",
    startedAtMs: undefined,
    endedAtMs: undefined,
    runs: 0,
    lostRuns: 0,
    costPicoUsd: ZERO,
    failure: undefined,
    cancelRequested: false,
    partial: "",
    purged: false,
  };
}
