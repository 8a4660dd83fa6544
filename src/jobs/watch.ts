/**
 * What becomes of a job, as it happens: each change of its state, and the words of its run. In the process that runs
 * it they come at once; elsewhere what the store has of them is looked at again and again.
 */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Job, JobEvent } from "../../gen/ts/llmgateway/v1/job_pb.ts";
import type { Clock } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import type { JobRecord } from "../core/job-store.ts";
import { event } from "../core/reply.ts";
import type { Output } from "./output.ts";
import { isFinal } from "./told.ts";

export interface WatchOptions {
  readonly clock: Clock;
  readonly changes: Changes;
  /** Throws a Failure when there is no such job. */
  read(): Promise<JobRecord>;
  /** The whole text of a job that has completed; empty when it is gone. */
  said(): Promise<string>;
  /** Undefined when the job does not run in this process. */
  output(): Output | undefined;
  tell(job: JobRecord): Job;
  /** Whether the gateway is being stopped: nobody then watches a job that others will run. */
  stopping(): boolean;
}

const LOOK_AGAIN_MS = 1_000;

export async function* watch(options: WatchOptions, signal: AbortSignal): AsyncGenerator<JobEvent[]> {
  const { read, output, tell } = options;
  let told = "";
  let run = 0;
  let said = 0;
  for (;;) {
    signal.throwIfAborted();
    if (options.stopping() && !output())
      throw new Failure("shutting_down", "the gateway is being stopped; watch the job at another replica");
    const job = await read();
    const waits = job.state === "pending";
    if (job.runs !== run || waits) {
      // That the words of the run before are void is told also where the next began before anybody looked.
      if (said > 0 && !waits) yield [status(tell({ ...job, state: "pending", endedAtMs: undefined }))];
      [run, said] = [job.runs, 0];
    }
    if (job.state === "completed") {
      const rest = (await options.said()).slice(said);
      if (rest) yield [words(rest)];
    }
    const state = `${job.state} ${job.runs} ${job.dueAtMs}`;
    if (state !== told) yield [status(tell(job))];
    told = state;
    if (isFinal(job.state)) return;
    const live = output();
    if (live && job.state === "running") {
      for await (const piece of live.follow(said, signal)) {
        said += piece.length;
        yield [words(piece, live.costUsd)];
      }
      // It has ended, and is kept in a moment.
    } else if (job.partial.length > said) {
      yield [words(job.partial.slice(said))];
      said = job.partial.length;
    }
    await options.changes.of(job.jobId, options.clock, LOOK_AGAIN_MS, signal);
  }
}

/** Wakes those that wait for a job to change, in this process. */
export class Changes {
  private readonly waiting = new Map<string, Set<() => void>>();

  /** Resolves with the next change, after so long, or when the signal is aborted. */
  of(jobId: string, clock: Clock, atMostMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiters = this.waiting.get(jobId) ?? new Set();
      const done = () => {
        timer.cancel();
        signal.removeEventListener("abort", done);
        waiters.delete(done);
        if (waiters.size === 0) this.waiting.delete(jobId);
        resolve();
      };
      const timer = clock.after(atMostMs, done);
      signal.addEventListener("abort", done, { once: true });
      waiters.add(done);
      this.waiting.set(jobId, waiters);
      if (signal.aborted) done();
    });
  }

  tell(jobId: string): void {
    for (const wake of [...(this.waiting.get(jobId) ?? [])]) wake();
  }
}

function status(job: Job): JobEvent {
  return { $typeName: "llmgateway.v1.JobEvent", job };
}

function words(token: string, costUsd?: number): JobEvent {
  const output: StreamResponse = event(costUsd === undefined ? { token } : { token, costUsd });
  return { $typeName: "llmgateway.v1.JobEvent", output };
}
