/** What a webhook says: what became of the job or batch and, where it is not too large, the result. */
import { type JsonObject, toJson } from "@bufbuild/protobuf";
import { ChatResponseSchema } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { BatchSchema, JobSchema } from "../../../gen/ts/llmgateway/v1/job_pb.ts";
import type { JobRecord, JobStore } from "../../core/job-store.ts";
import { JSON_OPTIONS } from "../../core/json.ts";
import type { WebhookRecord } from "../../core/outbox.ts";
import { replyOf } from "../outcome.ts";
import { batchOf, batchStatus, jobOf } from "../told.ts";

/** A larger result is to be fetched: receivers bound what they read. */
const MAX_RESULT_BYTES = 256 * 1024;

export interface BodyOptions {
  readonly store: Pick<JobStore, "get" | "result" | "batch">;
  readonly resultTtlMs: () => number;
}

/** Undefined when the job or batch is forgotten. The same text each time, so that a receiver can know it again. */
export async function webhookBody(
  webhook: WebhookRecord,
  { store, resultTtlMs }: BodyOptions,
): Promise<string | undefined> {
  if (webhook.subject === "batch") {
    const batch = await store.batch(webhook.webhookId, webhook);
    if (!batch) return undefined;
    const data = { batch: toJson(BatchSchema, batchOf(batch), JSON_OPTIONS) };
    return eventText(`batch.${batchStatus(batch)}`, webhook, data);
  }
  const job = await store.get(webhook.webhookId, webhook);
  if (!job) return undefined;
  const told = toJson(JobSchema, jobOf(job, resultTtlMs()), JSON_OPTIONS);
  return eventText(`job.${job.state}`, webhook, { job: told, ...(await resultOf(job, store)) });
}

async function resultOf(job: JobRecord, store: Pick<JobStore, "result">): Promise<JsonObject> {
  const result = job.state === "completed" ? await store.result(job.jobId) : undefined;
  if (!result || result.length > MAX_RESULT_BYTES) return {};
  return { result: toJson(ChatResponseSchema, replyOf(job, result), JSON_OPTIONS) };
}

function eventText(type: string, { createdAtMs }: WebhookRecord, data: JsonObject): string {
  return JSON.stringify({ type, timestamp: new Date(createdAtMs).toISOString(), data });
}
