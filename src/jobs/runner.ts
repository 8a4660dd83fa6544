/**
 * Takes jobs that are due and runs them, so many at a time, for as long as they stay this process's. What a run
 * comes to is kept by the store or by nobody: a run that was lost meanwhile changes nothing.
 */
import type { Service } from "../core/call.ts";
import { type Clock, pass, type Timer } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import { type JobRecord, type JobStore, LEASE_MS, RENEW_MS, type TakenJob } from "../core/job-store.ts";
import { againAfter } from "./again.ts";
import { Output } from "./output.ts";
import { type RunResult, runJob } from "./run.ts";

export interface RunnerOptions {
  readonly store: Pick<JobStore, "take" | "renew" | "park" | "retry" | "handBack" | "finish">;
  /** Asked for each run, since a reload replaces it. */
  readonly service: () => Service;
  readonly limits: () => RunLimits;
  readonly clock: Clock;
  readonly random: () => number;
  /** Told of each job after its state has changed. */
  onChanged(jobId: string): void;
  /** Told of each run that ended; of the job's end when it is final. */
  onRun(run: EndedRun): void;
  /** Told when the store did not answer. What was asked is asked again. */
  onError(error: unknown): void;
}

export interface RunLimits {
  /** Runs at a time. */
  readonly maxConcurrent: number;
  /** Runs of one job. */
  readonly maxRuns: number;
}

export interface EndedRun {
  readonly job: JobRecord;
  readonly runMs: number;
  /** Undefined when it was answered. */
  readonly failure: Failure | undefined;
  /** Undefined while another run is to follow. */
  readonly end: "completed" | "failed" | "cancelled" | undefined;
}

export interface Runner {
  readonly running: number;
  /** There may be something to take. */
  wake(): void;
  /** What a run says in this process; undefined when the job does not run here. */
  output(jobId: string): Output | undefined;
  /**
   * Takes nothing more, lets runs end within this time, and hands the others back.
   *
   * @param why what the runs that are broken off fail with
   */
  close(withinMs: number, why: () => Failure): Promise<void>;
}

/** How often jobs are looked for that other processes submitted, or that have come due. */
const POLL_MS = 500;
/** Slots that come free together are filled together. */
const GATHER_MS = 5;
const RETRY_MS = 500;
/** A job that takes its process with it each time would do so for ever. */
const MAX_LOST_RUNS = 10;

export function createRunner(options: RunnerOptions): Runner {
  return new TakingRunner(options);
}

class TakingRunner implements Runner {
  private readonly options: RunnerOptions;
  private readonly runs = new Map<string, Run>();
  private timer: Timer | undefined;
  private renewal: Timer | undefined;
  private taking: Promise<void> | undefined;
  private again = false;
  private closing: (() => Failure) | undefined;

  constructor(options: RunnerOptions) {
    this.options = options;
    this.wake();
    this.renewLater();
  }

  get running(): number {
    return this.runs.size;
  }

  wake(): void {
    if (this.taking) this.again = true;
    else this.lookAfter(GATHER_MS);
  }

  output(jobId: string): Output | undefined {
    return this.runs.get(jobId)?.output;
  }

  async close(withinMs: number, why: () => Failure): Promise<void> {
    this.closing = why;
    this.timer?.cancel();
    await this.taking;
    const parked = [...this.runs.values()].filter((run) => run.parked);
    for (const run of parked) run.abort(why());
    const late = this.options.clock.after(withinMs, () => {
      for (const run of this.runs.values()) run.abort(why());
    });
    await Promise.all([...this.runs.values()].map((run) => run.ended));
    late.cancel();
    this.renewal?.cancel();
  }

  private lookAfter(delayMs: number): void {
    this.timer?.cancel();
    if (this.closing) return;
    this.timer = this.options.clock.after(delayMs, () => {
      this.taking = this.take().finally(() => {
        this.taking = undefined;
        this.lookAfter(this.again ? GATHER_MS : POLL_MS);
      });
    });
  }

  private async take(): Promise<void> {
    const { store, clock, limits, onError } = this.options;
    this.again = false;
    const free = limits().maxConcurrent - this.runs.size;
    if (free <= 0) return;
    try {
      const taken = await store.take(free, clock.now());
      for (const job of taken) this.begin(job);
    } catch (error) {
      onError(error);
    }
  }

  private begin(taken: TakenJob): void {
    const { jobId } = taken.job;
    const run = new Run(taken, this.options, () => this.closing !== undefined);
    this.runs.set(jobId, run);
    this.options.onChanged(jobId);
    void run.ended.then(() => {
      this.runs.delete(jobId);
      this.options.onChanged(jobId);
      this.wake();
    });
  }

  private renewLater(): void {
    this.renewal = this.options.clock.after(RENEW_MS, () => {
      void this.renew().finally(() => this.renewLater());
    });
  }

  private async renew(): Promise<void> {
    const { store, clock, onError } = this.options;
    const nowMs = clock.now();
    const runs = [...this.runs.values()];
    try {
      if (runs.length === 0) return;
      const renewed = await store.renew(
        runs.map((run) => run.renewal()),
        nowMs,
      );
      for (const [index, { order }] of renewed.entries()) runs[index]?.obey(order, nowMs);
    } catch (error) {
      onError(error);
      for (const run of runs) run.notRenewed(clock.now());
    }
  }
}

/** A run while it is this process's. */
class Run {
  readonly output = new Output();
  /** Resolves when all that it came to is kept, or is not this process's to keep. */
  readonly ended: Promise<void>;
  parked: boolean;
  private readonly taken: TakenJob;
  private readonly options: RunnerOptions;
  private readonly closing: () => boolean;
  private readonly controller = new AbortController();
  private readonly startedAtMs: number;
  private renewedAtMs: number;
  private renewedText = "";
  private lost = false;

  constructor(taken: TakenJob, options: RunnerOptions, closing: () => boolean) {
    this.taken = taken;
    this.options = options;
    this.closing = closing;
    this.parked = taken.parked !== undefined;
    this.startedAtMs = options.clock.now();
    this.renewedAtMs = this.startedAtMs;
    this.ended = this.live();
  }

  get key() {
    return { jobId: this.taken.job.jobId, run: this.taken.job.runs };
  }

  abort(failure: Failure): void {
    this.controller.abort(failure);
  }

  renewal() {
    const { text } = this.output;
    const partial = text === this.renewedText ? undefined : text;
    this.renewedText = text;
    return { ...this.key, partial };
  }

  obey(order: "go on" | "cancel" | "lost", nowMs: number): void {
    if (order === "lost") this.lose();
    else this.renewedAtMs = nowMs;
    if (order === "cancel") this.abort(new Failure("cancelled", "the job was cancelled"));
  }

  /** Another process may have it by now. */
  notRenewed(nowMs: number): void {
    if (nowMs - this.renewedAtMs >= LEASE_MS) this.lose();
  }

  private lose(): void {
    this.lost = true;
    this.abort(new Failure("cancelled", "the job is not this process's any more"));
  }

  private async live(): Promise<void> {
    const { clock, service, onRun } = this.options;
    const { signal } = this.controller;
    const result =
      this.taken.job.lostRuns >= MAX_LOST_RUNS
        ? givenUp(this.taken.job)
        : await runJob(this.taken, {
            service: service(),
            clock,
            signal,
            output: this.output,
            park: (parked) => this.park(parked),
          });
    this.output.end();
    const end = await this.kept(result);
    const { failure } = result;
    if (end !== "lost") onRun({ job: this.taken.job, runMs: clock.now() - this.startedAtMs, failure, end });
  }

  private async park(parked: string): Promise<void> {
    this.parked = await this.persist(() => this.options.store.park(this.key, parked));
    // From now on nothing of it is lost when the process ends.
    if (this.closing()) this.abort(new Failure("shutting_down", "the gateway is being stopped"));
  }

  /** Has what the run came to kept. Says whether that was the job's end. */
  private async kept(result: RunResult): Promise<EndedRun["end"] | "lost"> {
    const { store, clock, random, limits } = this.options;
    const { key } = this;
    const { failure, costPicoUsd } = result;
    const cost = { costPicoUsd };
    const atMs = clock.now();
    if (!failure) {
      const ending = {
        state: "completed",
        atMs,
        failure: undefined,
        result: result.result,
        ...cost,
      } as const;
      return (await this.persist(() => store.finish(key, ending))) ? "completed" : "lost";
    }
    const told = { kind: failure.kind, message: failure.message };
    if (failure.kind === "shutting_down") {
      // What was spent must be told; what is parked goes on without us.
      const free = failure.suspended || costPicoUsd === 0n;
      const back = free
        ? () => store.handBack(key, atMs)
        : () => store.retry(key, atMs, { ...told, retryable: true }, cost);
      return (await this.persist(back)) ? undefined : "lost";
    }
    const again = againAfter(failure, key.run, limits().maxRuns, random);
    if (again && failure.kind !== "cancelled") {
      const dueAtMs = atMs + again.afterMs;
      const retry = again.counted
        ? () => store.retry(key, dueAtMs, { ...told, retryable: true }, cost)
        : () => store.handBack(key, dueAtMs);
      return (await this.persist(retry)) ? undefined : "lost";
    }
    const state = failure.kind === "cancelled" ? "cancelled" : "failed";
    const ending = {
      state,
      atMs,
      failure: state === "cancelled" ? undefined : { ...told, retryable: false },
      result: result.result,
      ...cost,
    } as const;
    return (await this.persist(() => store.finish(key, ending))) ? state : "lost";
  }

  /** False when the run is not this process's any more. While the store is away, it is asked again and again. */
  private async persist(act: () => Promise<boolean>): Promise<boolean> {
    for (;;) {
      if (this.lost) return false;
      try {
        return await act();
      } catch (error) {
        this.options.onError(error);
        this.notRenewed(this.options.clock.now());
      }
      await pass(this.options.clock, RETRY_MS);
    }
  }
}

function givenUp({ lostRuns }: JobRecord): RunResult {
  const text = `the gateway ended ${lostRuns} times while it ran this job; it is not tried again`;
  return {
    failure: new Failure("job_lost", text),
    result: undefined,
    costPicoUsd: 0n as RunResult["costPicoUsd"],
  };
}
