/**
 * Takes jobs that are due and runs them, so many at a time, for as long as they stay this process's. What a run
 * comes to is kept by the store or by nobody: a run that was lost meanwhile changes nothing.
 */
import type { Timer } from "../core/clock.ts";
import type { Failure } from "../core/failure.ts";
import { type JobStore, LEASE_MS, RENEW_MS, type TakenJob } from "../core/job-store.ts";
import { type Repeated, repeat } from "../core/repeat.ts";
import { type HeldOptions, HeldRun } from "./held.ts";
import type { Output } from "./output.ts";

export interface RunnerOptions extends HeldOptions {
  readonly store: Pick<JobStore, "take" | "renew" | "park" | "retry" | "handBack" | "finish">;
  /** Told of each job after its state has changed. */
  onChanged(jobId: string): void;
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
/** Runs that wait for their provider's batches, beside those that are counted. More are handed back for a while. */
const MAX_PATIENT = 5_000;

export function createRunner(options: RunnerOptions): Runner {
  return new TakingRunner(options);
}

class TakingRunner implements Runner {
  private readonly options: RunnerOptions;
  private readonly runs = new Map<string, HeldRun>();
  /** How many of them wait for their provider's batches. */
  private patient = 0;
  private timer: Timer | undefined;
  private readonly renewal: Repeated;
  private renewedAtMs: number;
  private taking: Promise<void> | undefined;
  private again = false;
  private soon = false;
  private closing: (() => Failure) | undefined;

  constructor(options: RunnerOptions) {
    this.options = options;
    this.renewedAtMs = options.clock.now();
    this.wake();
    this.renewal = repeat(options.clock, RENEW_MS, () => this.renew());
  }

  get running(): number {
    return this.runs.size;
  }

  wake(): void {
    if (this.taking) this.again = true;
    // One that comes soon is not put off by each that wakes it.
    else if (!this.soon) this.lookAfter(GATHER_MS);
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
    await this.renewal.stop();
  }

  private lookAfter(delayMs: number): void {
    this.timer?.cancel();
    if (this.closing) return;
    this.soon = delayMs === GATHER_MS;
    this.timer = this.options.clock.after(delayMs, () => {
      this.soon = false;
      this.taking = this.take().finally(() => {
        this.taking = undefined;
        this.lookAfter(this.again ? GATHER_MS : POLL_MS);
      });
    });
  }

  private async take(): Promise<void> {
    const { store, clock, limits, onError } = this.options;
    this.again = false;
    const free = limits().maxConcurrent - this.runs.size + this.patient;
    if (free <= 0) return;
    // Behind a pause of the process, or a step of the clock, its own runs would seem to be lost.
    if (clock.now() - this.renewedAtMs >= LEASE_MS) await this.renew();
    try {
      const taken = await store.take(free, clock.now());
      for (const job of taken) this.begin(job);
      if (taken.length === free) this.again = true;
    } catch (error) {
      onError(error);
    }
  }

  private begin(taken: TakenJob): void {
    const { jobId } = taken.job;
    const isCrowded = this.patient >= MAX_PATIENT;
    const run = new HeldRun(taken, this.options, { isCrowded, closing: () => this.closing !== undefined });
    // It had one that was lost, and that nobody would tell so any more.
    this.runs.get(jobId)?.lose();
    this.runs.set(jobId, run);
    const patience = run.patient ? 1 : 0;
    this.patient += patience;
    this.options.onChanged(jobId);
    void run.ended.then(() => {
      this.patient -= patience;
      if (this.runs.get(jobId) === run) this.runs.delete(jobId);
      this.options.onChanged(jobId);
      this.wake();
    });
  }

  private async renew(): Promise<void> {
    const { store, clock, onError } = this.options;
    const nowMs = clock.now();
    const runs = [...this.runs.values()];
    try {
      const renewals = runs.map((run) => run.renewal());
      const renewed = renewals.length > 0 ? await store.renew(renewals, nowMs) : [];
      this.renewedAtMs = nowMs;
      for (const [index, { order }] of renewed.entries()) runs[index]?.obey(order, nowMs);
    } catch (error) {
      onError(error);
      for (const run of runs) run.notRenewed(clock.now());
    }
  }
}
