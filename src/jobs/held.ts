/**
 * A run while it is this process's: has it made, and what it came to kept. Once another may have it, nothing is kept
 * any more.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { type ChatRequest, ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { isBatch, type Service } from "../core/call.ts";
import { type Clock, pass } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import { type JobRecord, type JobStore, LEASE_MS, type TakenJob } from "../core/job-store.ts";
import { type PicoUsd, ZERO } from "../core/money.ts";
import { type Again, againAfter, againWithRoom } from "./again.ts";
import { Output } from "./output.ts";
import { type RunResult, runJob } from "./run.ts";

export interface HeldOptions {
  readonly store: Pick<JobStore, "park" | "retry" | "handBack" | "finish">;
  /** Asked for each run, since a reload replaces it. */
  readonly service: () => Service;
  readonly limits: () => RunLimits;
  readonly clock: Clock;
  readonly random: () => number;
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

/** Of the process that holds it. */
export interface Holding {
  /** Whether as many wait for their provider's batches as may. */
  readonly isCrowded: boolean;
  readonly closing: () => boolean;
}

const RETRY_MS = 500;
const LOST = "the job is not this process's any more";
/** Whoever may wait for a day can wait for a place. */
const CROWDED_WAIT_MS = 600_000;
/** A job that takes its process with it each time would do so for ever. */
const MAX_LOST_RUNS = 10;

export class HeldRun {
  readonly output = new Output();
  /** Resolves when all that it came to is kept, or is not this process's to keep. */
  readonly ended: Promise<void>;
  /** Whether its provider takes its time, so that it costs this process nothing but patience. */
  readonly patient: boolean;
  /** Whether it outlasts the process. */
  parked: boolean;
  private readonly taken: TakenJob;
  private readonly chat: ChatRequest;
  private readonly options: HeldOptions;
  private readonly holding: Holding;
  private readonly controller = new AbortController();
  private readonly startedAtMs: number;
  private renewedAtMs: number;
  /** What the store was told to have been said, and what it has answered for. */
  private toldText = "";
  private renewedText = "";
  private lost = false;

  constructor(taken: TakenJob, options: HeldOptions, holding: Holding) {
    this.taken = taken;
    this.options = options;
    this.holding = holding;
    this.chat = fromBinary(ChatRequestSchema, taken.request);
    this.patient = isBatch({ request: this.chat });
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
    this.toldText = text;
    return { ...this.key, partial: text === this.renewedText ? undefined : text };
  }

  obey(order: "go on" | "cancel" | "lost", nowMs: number): void {
    if (order === "lost") this.lose();
    else {
      this.renewedAtMs = nowMs;
      this.renewedText = this.toldText;
    }
    if (order === "cancel") this.abort(cancelled());
  }

  /** Another process may have it by now. */
  notRenewed(nowMs: number): void {
    if (nowMs - this.renewedAtMs >= LEASE_MS) this.lose();
  }

  /** Another run of the job has begun, or may have: nothing of this one is kept. */
  lose(): void {
    this.lost = true;
    // Whoever has it now waits for the same batch, which must not be cancelled at the provider.
    const kind = this.patient ? "shutting_down" : "cancelled";
    this.abort(new Failure(kind, LOST));
  }

  private async live(): Promise<void> {
    const { clock, service, onRun } = this.options;
    const { signal } = this.controller;
    const { job } = this.taken;
    // What is parked is to be cancelled at its provider.
    if (job.cancelRequested) this.abort(cancelled());
    const result =
      unrun(job, this.parked) ??
      this.crowdedOut() ??
      (await runJob(this.taken, this.chat, {
        service: service(),
        clock,
        signal,
        output: this.output,
        park: (parked) => this.park(parked),
      }));
    this.output.end();
    const end = await this.kept(result);
    const { failure } = result;
    if (end !== "lost") onRun({ job, runMs: clock.now() - this.startedAtMs, failure, end });
  }

  /** What is to be cancelled is let in. */
  private crowdedOut(): RunResult | undefined {
    if (!this.patient || !this.holding.isCrowded || this.taken.job.cancelRequested) return undefined;
    const text = "as many jobs wait for batches here as may";
    return endedBy(new Failure("concurrency_limited", text, { retryAfterMs: CROWDED_WAIT_MS }));
  }

  private async park(parked: string): Promise<void> {
    this.parked = await this.persist(() => this.options.store.park(this.key, parked));
    // Whoever has the job now knows nothing of it.
    if (!this.parked) throw new Failure("cancelled", LOST);
    // From now on nothing of it is lost when the process ends.
    if (this.holding.closing()) this.abort(new Failure("shutting_down", "the gateway is being stopped"));
  }

  /** Has what the run came to kept. Says whether that was the job's end. */
  private async kept({ failure, result, costPicoUsd }: RunResult): Promise<EndedRun["end"] | "lost"> {
    const { store, clock } = this.options;
    const { key } = this;
    const atMs = clock.now();
    const told = failure && { kind: failure.kind, message: failure.message };
    const next = failure && this.nextRun(failure, costPicoUsd);
    if (told && next) {
      const dueAtMs = atMs + next.afterMs;
      const givenBack = await this.persist(() =>
        next.counted
          ? store.retry(key, dueAtMs, { ...told, retryable: true }, { costPicoUsd })
          : store.handBack(
              key,
              atMs,
              dueAtMs,
              { costPicoUsd },
              failure.noRoom ? { ...told, retryable: true } : undefined,
            ),
      );
      return givenBack ? undefined : "lost";
    }
    const end: NonNullable<EndedRun["end"]> = !failure
      ? "completed"
      : failure.kind === "cancelled"
        ? "cancelled"
        : "failed";
    const stored = end === "failed" && told ? { ...told, retryable: false } : undefined;
    const ending = { state: end, atMs, failure: stored, result, costPicoUsd };
    return (await this.persist(() => store.finish(key, ending))) ? end : "lost";
  }

  private nextRun(failure: Failure, costPicoUsd: PicoUsd | undefined): Again {
    const { limits, random, clock } = this.options;
    // What was spent must be told; what is parked goes on without us.
    if (failure.kind === "shutting_down")
      return { afterMs: 0, counted: !failure.suspended && costPicoUsd !== ZERO };
    if (failure.noRoom) return againWithRoom(clock.now() - this.taken.job.createdAtMs, random);
    // What was lost with its process says nothing of the provider.
    const run = this.key.run - this.taken.job.lostRuns;
    return againAfter(failure, run, limits().maxRuns, random);
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

function cancelled(): Failure {
  return new Failure("cancelled", "the job was cancelled");
}

/** What comes of a job that is not to be run any more; undefined for one that is. */
function unrun({ lostRuns, cancelRequested }: JobRecord, parked: boolean): RunResult | undefined {
  if (cancelRequested && !parked) return endedBy(cancelled());
  if (lostRuns < MAX_LOST_RUNS) return undefined;
  const text = `the gateway ended ${lostRuns} times while it ran this job; it is not tried again`;
  return endedBy(new Failure("job_lost", text));
}

function endedBy(failure: Failure): RunResult {
  return { failure, result: undefined, costPicoUsd: ZERO };
}
