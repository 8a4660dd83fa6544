/**
 * A server on loopback that has jobs as the contract says, in memory: a test decides when each goes on. It stands in
 * for a gateway where a test needs connections that break, and jobs that end, at a time of its choice.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { type ChatResponse, ChatResponseSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import {
  type BatchItem,
  BatchResultSchema,
  type Job,
  type JobEvent,
  JobEventSchema,
  JobFailureSchema,
  JobSchema,
  type SubmitJobRequest,
} from "../../gen/ts/llmgateway/v1/job_pb.ts";
import { freePort } from "./free-port.ts";

interface KeptJob {
  job: Job;
  result?: ChatResponse;
  /** What its run has said. */
  text: string;
}

const PAGE_SIZE = 2;
const WEBHOOK = {
  webhookId: "0191f2a0-0000-7000-8000-000000000000",
  subject: "job",
  url: "https://example.com/hook",
  status: "pending",
  attempts: 2,
  deliveries: [
    { attempt: 2, latencyMs: 15_000, error: "it did not answer in time" },
    { attempt: 1, latencyMs: 7, httpStatus: 500, error: "it answered with 500" },
  ],
};

export class JobServer implements AsyncDisposable {
  readonly submissions: SubmitJobRequest[] = [];
  /** By the key that each was submitted with. */
  readonly batches = new Map<string, { readonly batchId: string; readonly items: readonly BatchItem[] }>();
  readonly calls: string[] = [];
  /** How many results of a batch there are by now. */
  released = Number.POSITIVE_INFINITY;
  /** Makes the next calls of these methods fail, one each. */
  readonly failing: string[] = [];
  private readonly jobs = new Map<string, KeptJob>();
  private readonly byKey = new Map<string, string>();
  private readonly watchers = new Set<() => void>();
  private readonly server = createServer(
    connectNodeAdapter({ routes: (router) => void router.service(GatewayService, this.methods()) }),
  );

  static async start(port?: number): Promise<JobServer> {
    const started = new JobServer();
    started.server.listen(port ?? (await freePort()), "127.0.0.1");
    await once(started.server, "listening");
    return started;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Jobs by the key that they were submitted with, or by their id. */
  job(name: string): KeptJob {
    const kept = this.jobs.get(this.byKey.get(name) ?? name);
    if (!kept) throw failure(Code.NotFound, "not_found");
    return kept;
  }

  /** The id of the only job. */
  get onlyId(): string {
    const [id, ...others] = this.jobs.keys();
    if (!id || others.length > 0) throw new Error(`there are ${this.jobs.size} jobs`);
    return id;
  }

  run(id: string): void {
    const kept = this.job(id);
    kept.text = "";
    const startedAt = timestampFromMs(Date.now());
    this.change(kept, { status: "running", runs: kept.job.runs + 1, startedAt });
  }

  /** As a gateway does that is stopped and started: the run is not counted. */
  runAnew(id: string): void {
    const kept = this.job(id);
    kept.text = "";
    const startedAt = timestampFromMs(Date.now() + 1);
    this.change(kept, { startedAt });
  }

  say(id: string, word: string): void {
    this.job(id).text += word;
    this.tell();
  }

  end(id: string, status: "completed" | "failed" | "cancelled" | "expired"): void {
    const kept = this.job(id);
    if (status === "completed")
      kept.result = create(ChatResponseSchema, { response: kept.text, provider: "mock", model: "m" });
    const failed =
      status === "failed"
        ? { failure: create(JobFailureSchema, { kind: "provider_error", message: "it broke" }) }
        : {};
    this.change(kept, { status, ...failed });
  }

  /** Breaks all that is open. */
  breakConnections(): void {
    this.server.closeAllConnections();
  }

  /** Resolves when so many calls of a method have come. */
  async called(method: string, times: number): Promise<void> {
    while (this.calls.filter((call) => call === method).length < times) {
      await new Promise<void>((resolve) => this.watchers.add(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private change(kept: KeptJob, fields: Partial<Job>): void {
    kept.job = create(JobSchema, { ...kept.job, ...fields });
    this.tell();
  }

  private tell(): void {
    const waiting = [...this.watchers];
    this.watchers.clear();
    for (const wake of waiting) wake();
  }

  private note(method: string): void {
    this.calls.push(method);
    this.tell();
    const at = this.failing.indexOf(method);
    if (at < 0) return;
    this.failing.splice(at, 1);
    throw failure(Code.Unavailable, "shutting_down");
  }

  private methods(): Partial<ServiceImpl<typeof GatewayService>> {
    return {
      submitJob: (request) => {
        this.submissions.push(request);
        const known = this.byKey.get(request.idempotencyKey);
        const id = known ?? randomUUID();
        if (!known) {
          this.byKey.set(request.idempotencyKey, id);
          const { model, metadata, priority } = request;
          const createdAt = timestampFromMs(Date.now());
          const job = create(JobSchema, {
            jobId: id,
            status: "pending",
            model,
            metadata,
            priority,
            createdAt,
          });
          this.jobs.set(id, { job, text: "" });
        }
        // Kept, and the answer is lost.
        this.note("SubmitJob");
        return this.job(id).job;
      },
      getJob: ({ jobId }) => this.job(jobId).job,
      getJobResult: ({ jobId }) => {
        this.note("GetJobResult");
        const { job, result } = this.job(jobId);
        if (result) return result;
        if (job.failure) throw failure(Code.Unavailable, job.failure.kind);
        const kind =
          job.status === "cancelled" || job.status === "expired" ? `job_${job.status}` : "job_not_ended";
        throw failure(Code.FailedPrecondition, kind);
      },
      listJobs: () => ({ jobs: [...this.jobs.values()].map(({ job }) => job) }),
      cancelJob: ({ jobId }) => {
        this.note("CancelJob");
        this.end(jobId, "cancelled");
        return this.job(jobId).job;
      },
      watchJob: ({ jobId }, { signal }) => {
        this.note("WatchJob");
        return this.watch(this.job(jobId), signal);
      },
      submitBatch: (request) => {
        const known = this.batches.get(request.idempotencyKey);
        this.note("SubmitBatch");
        const batchId = known?.batchId ?? randomUUID();
        this.batches.set(request.idempotencyKey, { batchId, items: request.requests });
        return { batchId, status: "running", total: request.requests.length };
      },
      getBatch: ({ batchId }) => ({
        batchId,
        status: "running",
        total: 3,
        pending: 1,
        completed: 2,
        costUsd: 0.5,
      }),
      cancelBatch: ({ batchId }) => ({ batchId, status: "cancelled", total: 3, completed: 2, cancelled: 1 }),
      listWebhooks: ({ status }) => ({ webhooks: [{ ...WEBHOOK, status: status || "pending" }] }),
      getWebhook: () => WEBHOOK,
      redeliverWebhook: () => ({ ...WEBHOOK, deliveries: [] }),
      listBatchResults: ({ batchId, pageToken }) => {
        this.note("ListBatchResults");
        const { items } = [...this.batches.values()].find((batch) => batch.batchId === batchId) ?? {
          items: [],
        };
        const from = Number(pageToken);
        const to = Math.min(from + PAGE_SIZE, this.released, items.length);
        const results = items.slice(from, to).map(resultOf);
        return { results, nextPageToken: to < items.length ? String(to) : "" };
      },
    };
  }

  private async *watch(kept: KeptJob, signal: AbortSignal): AsyncGenerator<JobEvent> {
    let told: Job | undefined;
    let said = 0;
    const gone = once(signal, "abort");
    while (!signal.aborted) {
      if (kept.job !== told) {
        if (kept.job.startedAt !== told?.startedAt) said = 0;
        told = kept.job;
        yield create(JobEventSchema, { job: told });
        continue;
      }
      if (/completed|failed|cancelled|expired/.test(told.status)) return;
      if (kept.text.length > said) {
        const token = kept.text.slice(said);
        said = kept.text.length;
        yield create(JobEventSchema, { output: { token } });
        continue;
      }
      await Promise.race([gone, new Promise<void>((resolve) => this.watchers.add(resolve))]);
    }
  }
}

function failure(code: Code, reason: string): ConnectError {
  const details = [{ desc: ErrorInfoSchema, value: { reason, domain: "llmgateway" } }];
  return new ConnectError(reason, code, undefined, details);
}

/** Who asks to "fail" does; everyone else hears the question again. */
function resultOf({ customId, request }: BatchItem) {
  const question = request?.messages.at(-1)?.content ?? "";
  if (question === "fail") {
    const job = {
      jobId: randomUUID(),
      status: "failed",
      costPicoUsd: 0n,
      failure: { kind: "cut", message: "it broke" },
    };
    return create(BatchResultSchema, { customId, job });
  }
  const message = { role: "assistant", content: question };
  const cost = { inputTokens: 1, outputTokens: 2, totalTokens: 3, provenance: "measured" };
  const response = { response: question, message, finishReason: "stop", provider: "mock", model: "m", cost };
  const job = { jobId: randomUUID(), status: "completed", costUsd: 0.000001, costPicoUsd: 1_000_000n };
  return create(BatchResultSchema, { customId, job, response });
}
