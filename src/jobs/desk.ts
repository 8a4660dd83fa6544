/** Where jobs are handed in and asked for. It keeps nothing itself: the store has what there is, the runner runs it. */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { ListBatchResultsResponse, SubmitBatchRequest } from "../../gen/ts/llmgateway/v1/job_pb.ts";
import type { RequestContext } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import {
  type BatchOutcome,
  type BatchRecord,
  type JobRecord,
  type JobState,
  type JobStore,
  type Owner,
  type Paging,
  type Repeated,
  type Submission,
  untouched,
} from "../core/job-store.ts";
import type { Jobs } from "../core/jobs.ts";
import { messageOf } from "../core/message.ts";
import type { Outbox, WebhookState } from "../core/outbox.ts";
import {
  type Draft,
  type DraftOptions,
  draftBatch,
  draftJob,
  type Preview,
  type SubmissionLimits,
} from "./draft.ts";
import { receiptIn, replyOf } from "./outcome.ts";
import type { Output } from "./output.ts";
import { batchOf, isFinal, jobOf, webhookOf } from "./told.ts";
import { type Changes, watch } from "./watch.ts";

export interface DeskOptions {
  readonly store: JobStore;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly changes: Changes;
  readonly preview: Preview;
  readonly limits: () => SubmissionLimits & { readonly resultTtlMs: number };
  readonly callbackProblem: (url: string) => string | undefined;
  /** What a job says that runs in this process. */
  readonly output: (jobId: string) => Output | undefined;
  /** Whether the gateway is being stopped. */
  readonly stopping: () => boolean;
  /** There is something to run. */
  readonly onSubmitted: (jobs: number) => void;
  /** There may be something to run, to end or to deliver. */
  readonly onChanged: () => void;
}

const PAGE_SIZE = 50;
/** What is stored at a time is about that many results. */
const RETRY_WHEN_FULL_MS = 5_000;

export function createDesk(options: DeskOptions): Jobs {
  const { store, outbox, clock, changes } = options;

  const found = async (jobId: string, owner: Owner): Promise<JobRecord> => {
    const job = await answered(store.get(jobId, ownerOf(owner)));
    if (!job) throw new Failure("not_found", `job_id: you have no job ${jobId}; it may have been forgotten`);
    return job;
  };
  const foundBatch = async (batchId: string, owner: Owner): Promise<BatchRecord> => {
    const batch = await answered(store.batch(batchId, ownerOf(owner)));
    if (!batch)
      throw new Failure("not_found", `batch_id: you have no batch ${batchId}; it may have been forgotten`);
    return batch;
  };
  const told = (job: JobRecord) => jobOf(job, options.limits().resultTtlMs);
  const drafting = (): DraftOptions => ({ ...options, limits: options.limits(), nowMs: clock.now() });

  /** The id under which it is stored, and what was stored just now; undefined where it was before. */
  const keep = async ({ key, judged }: Draft, owner: Owner) => {
    // Whatever holds by now, it was let in then.
    const before = key.idempotencyKey ? await answered(store.submitted(ownerOf(owner), key)) : undefined;
    if (before) return { id: idOf(before), stored: undefined };
    const submission = await judged();
    const { batch, jobs } = submission;
    const submitted = await answered(store.submit(submission));
    if (submitted.outcome === "full") throw full(submitted.limit, submission);
    if (submitted.outcome === "repeated") return { id: idOf(submitted), stored: undefined };
    options.onSubmitted(jobs.length);
    return { id: batch?.batchId ?? jobs[0]?.jobId ?? "", stored: submission };
  };

  return {
    async submit(request, context) {
      const { id, stored } = await keep(draftJob(request, context, drafting()), context);
      const job = stored?.jobs[0];
      // Told as it was submitted, though it may run by now.
      return told(job ? untouched(job) : await found(id, context));
    },
    get: async (jobId, owner) => told(await found(jobId, owner)),
    async result(jobId, owner) {
      const job = await found(jobId, owner);
      return replyOf(job, isFinal(job.state) ? await answered(store.result(jobId)) : undefined);
    },
    async list(request, owner) {
      const { createdAfter, createdBefore } = request;
      const filter = {
        state: (request.status || undefined) as JobState | undefined,
        batchId: request.batchId || undefined,
        model: request.model || undefined,
        createdAfterMs: createdAfter && timestampMs(createdAfter),
        createdBeforeMs: createdBefore && timestampMs(createdBefore),
      };
      const { rows, next = "" } = await answered(store.list(filter, ownerOf(owner), pagingOf(request)));
      return { $typeName: "llmgateway.v1.ListJobsResponse", jobs: rows.map(told), nextPageToken: next };
    },
    async cancel(jobId, owner) {
      await answered(store.cancel({ jobId }, ownerOf(owner), clock.now()));
      changes.tell(jobId);
      options.onChanged();
      return told(await found(jobId, owner));
    },
    async *watch(jobId, owner, signal) {
      const read = () => found(jobId, owner);
      const said = async () => {
        const result = await answered(store.result(jobId));
        return result ? replyOf(await read(), result).response : "";
      };
      const output = () => options.output(jobId);
      yield* watch({ clock, changes, read, said, output, tell: told, stopping: options.stopping }, signal);
    },
    async submitBatch(request: SubmitBatchRequest, context: RequestContext) {
      const { id } = await keep(draftBatch(request, context, drafting()), context);
      return batchOf(await foundBatch(id, context));
    },
    batch: async (batchId, owner) => batchOf(await foundBatch(batchId, owner)),
    async batchResults(request, owner): Promise<ListBatchResultsResponse> {
      await foundBatch(request.batchId, owner);
      const { rows, next = "" } = await answered(
        store.outcomes(request.batchId, ownerOf(owner), pagingOf(request)),
      );
      return {
        $typeName: "llmgateway.v1.ListBatchResultsResponse",
        results: rows.map((outcome) => resultOf(outcome, told)),
        nextPageToken: next,
      };
    },
    async cancelBatch(batchId, owner) {
      await answered(store.cancel({ batchId }, ownerOf(owner), clock.now()));
      options.onChanged();
      return batchOf(await foundBatch(batchId, owner));
    },
    async webhooks(request, owner) {
      const state = (request.status || undefined) as WebhookState | undefined;
      const { rows, next = "" } = await answered(outbox.list(state, ownerOf(owner), pagingOf(request)));
      const webhooks = rows.map((row) => webhookOf(row));
      return { $typeName: "llmgateway.v1.ListWebhooksResponse", webhooks, nextPageToken: next };
    },
    async webhook(webhookId, owner) {
      const record = await answered(outbox.get(webhookId, ownerOf(owner)));
      if (!record) throw noWebhook(webhookId);
      return webhookOf(record, await answered(outbox.deliveries(webhookId)));
    },
    async redeliver(webhookId, owner) {
      if (!(await answered(outbox.redeliver(webhookId, ownerOf(owner), clock.now()))))
        throw noWebhook(webhookId);
      options.onChanged();
      return this.webhook(webhookId, owner);
    },
  };
}

function resultOf({ job, result }: BatchOutcome, told: (job: JobRecord) => ReturnType<typeof jobOf>) {
  const response = job.state === "completed" && result ? { response: replyOf(job, result) } : {};
  const receipt = job.state === "completed" ? undefined : receiptIn(result);
  return {
    $typeName: "llmgateway.v1.BatchResult" as const,
    customId: job.customId,
    job: told(job),
    ...response,
    ...(receipt ? { receipt } : {}),
  };
}

/** Alone: a context has what no other thread can be sent. */
function ownerOf({ tenant, principal }: Owner): Owner {
  return { tenant, principal };
}

function pagingOf({ pageSize, pageToken }: { pageSize: number; pageToken: string }): Paging {
  return { size: pageSize || PAGE_SIZE, after: pageToken || undefined };
}

/** @throws Failure where it was another that was submitted then */
function idOf({ id, same }: Repeated): string {
  if (same) return id;
  const text = "idempotency_key: something else was submitted under this key before; use another one";
  throw new Failure("idempotency_conflict", text, {
    violations: [{ field: "idempotency_key", description: "is that of another submission" }],
  });
}

function full(limit: "max_pending" | "max_stored", { jobs, maxPending, maxStored }: Submission): Failure {
  const [most, what] = limit === "max_pending" ? [maxPending, "wait"] : [maxStored, "are stored"];
  const text = `${most} jobs may ${what} at a time, and with ${jobs.length} more there would be more; try again later`;
  return new Failure("job_queue_full", text, {
    operator: `jobs.${limit} is ${most}`,
    retryAfterMs: RETRY_WHEN_FULL_MS,
  });
}

function noWebhook(webhookId: string): Failure {
  return new Failure("not_found", `webhook_id: you have no webhook ${webhookId}`);
}

/** What the store did not do, as callers may hear it. */
async function answered<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure("jobs_unavailable", "the database that keeps jobs does not answer; try again", {
      operator: messageOf(error),
      cause: error,
    });
  }
}
