/** Jobs in memory as the port keeps them, for one process: a test can look at them, change them and take them away. */
import { create, toBinary } from "@bufbuild/protobuf";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Clock } from "../../src/core/clock.ts";
import { type JobRecord, LEASE_MS, type TakenJob, untouched } from "../../src/core/job-store.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import type { RunnerOptions } from "../../src/jobs/runner.ts";
import { jobOf } from "./jobs.ts";

type Runs = RunnerOptions["store"];

interface Kept {
  job: JobRecord;
  readonly request: Uint8Array;
  parked: string | undefined;
  /** While it runs. */
  leaseUntilMs: number;
}

export class MemoryJobs implements Runs {
  away = false;
  result: Uint8Array | undefined;
  /** What was asked of it, while it answered. */
  readonly asked: string[] = [];
  private readonly clock: Clock;
  private readonly jobs: Kept[] = [];
  private readonly byId = new Map<string, Kept>();

  constructor(clock: Clock, jobs: number) {
    this.clock = clock;
    for (let job = 0; job < jobs; job++) this.add();
  }

  add(init: Partial<JobRecord> = {}, serviceTier = ""): void {
    const messages = [{ role: "user", content: "Hello" }];
    const chat = create(ChatRequestSchema, { messages, parameters: { serviceTier } });
    const draft = jobOf(`job ${this.jobs.length}`, { dueAtMs: this.clock.now() });
    const job: JobRecord = { ...untouched(draft), ...init };
    const kept = { job, request: toBinary(ChatRequestSchema, chat), parked: undefined, leaseUntilMs: 0 };
    this.jobs.push(kept);
    this.byId.set(job.jobId, kept);
  }

  job(index = 0): JobRecord {
    const kept = this.jobs[index];
    if (!kept) throw new Error(`there is no job ${index}`);
    return kept.job;
  }

  parked(index: number): string {
    return this.jobs[index]?.parked ?? "";
  }

  states(): string[] {
    return this.jobs.map(({ job }) => job.state);
  }

  cancel(): void {
    this.change("job 0", () => ({ cancelRequested: true }));
  }

  /** Another process has it. */
  lose(): void {
    this.change("job 0", ({ runs }) => ({ runs: runs + 1 }));
  }

  /** Whoever has it is taken to be gone. */
  lapse(): void {
    this.find("job 0").leaseUntilMs = 0;
  }

  readonly take: Runs["take"] = async (limit, nowMs) => {
    this.answer("take");
    const due = this.jobs.filter(({ job, leaseUntilMs }) =>
      job.state === "pending" ? job.dueAtMs <= nowMs : job.state === "running" && leaseUntilMs <= nowMs,
    );
    return due.slice(0, limit).map((kept): TakenJob => {
      const { job, request, parked } = kept;
      kept.leaseUntilMs = nowMs + LEASE_MS;
      this.change(job.jobId, ({ runs }) => ({ state: "running", runs: runs + 1, partial: "" }));
      return { job: this.find(job.jobId).job, request, parked };
    });
  };

  readonly renew: Runs["renew"] = async (runs, nowMs) => {
    this.answer("renew");
    return runs.map(({ jobId, run, partial }) => {
      if (!this.holds({ jobId, run })) return { jobId, run, order: "lost" };
      this.find(jobId).leaseUntilMs = nowMs + LEASE_MS;
      if (partial !== undefined) this.change(jobId, () => ({ partial }));
      return { jobId, run, order: this.find(jobId).job.cancelRequested ? "cancel" : "go on" };
    });
  };

  readonly park: Runs["park"] = async (run, parked) => {
    this.answer("park");
    if (!this.holds(run)) return false;
    this.find(run.jobId).parked = parked;
    return true;
  };

  readonly retry: Runs["retry"] = async (run, dueAtMs, failure, { costPicoUsd }) => {
    this.answer("retry");
    return this.end(run, (job) => ({ state: "pending", dueAtMs, failure, ...costOf(job, costPicoUsd) }));
  };

  readonly handBack: Runs["handBack"] = async (run, _nowMs, dueAtMs, { costPicoUsd }, failure) => {
    this.answer("handBack");
    if (failure && this.holds(run)) this.find(run.jobId).parked = undefined;
    return this.end(run, (job) => ({
      state: "pending",
      dueAtMs,
      runs: job.runs - 1,
      failure: failure ?? job.failure,
      ...costOf(job, costPicoUsd),
    }));
  };

  readonly finish: Runs["finish"] = async (run, ending) => {
    this.answer("finish");
    this.result = ending.result;
    const { state, failure, costPicoUsd } = ending;
    return this.end(run, (job) => ({ state, failure: failure ?? job.failure, ...costOf(job, costPicoUsd) }));
  };

  private answer(what: string): void {
    if (this.away) throw new Error("the database is away");
    this.asked.push(what);
  }

  private holds({ jobId, run }: { jobId: string; run: number }): boolean {
    const { job } = this.find(jobId);
    return job.state === "running" && job.runs === run;
  }

  private end(run: { jobId: string; run: number }, change: (job: JobRecord) => Partial<JobRecord>): boolean {
    const holds = this.holds(run);
    if (holds) this.change(run.jobId, change);
    return holds;
  }

  private find(jobId: string) {
    const kept = this.byId.get(jobId);
    if (!kept) throw new Error(`there is no ${jobId}`);
    return kept;
  }

  private change(jobId: string, change: (job: JobRecord) => Partial<JobRecord>): void {
    const kept = this.find(jobId);
    kept.job = { ...kept.job, ...change(kept.job) };
  }
}

function costOf({ costPicoUsd: before }: JobRecord, more: PicoUsd | undefined) {
  const known = before !== undefined && more !== undefined;
  return { costPicoUsd: known ? ((before + more) as PicoUsd) : undefined };
}
