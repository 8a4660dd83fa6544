/** Records as callers are told of them. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Batch, Job, Webhook, WebhookDelivery } from "../../gen/ts/llmgateway/v1/job_pb.ts";
import type { BatchRecord, JobRecord, JobState } from "../core/job-store.ts";
import { type PicoUsd, toUsd } from "../core/money.ts";
import type { DeliveryRecord, WebhookRecord } from "../core/outbox.ts";

/** @param resultTtlMs how long its result can be fetched after its end */
export function jobOf(record: JobRecord, resultTtlMs: number): Job {
  const { endedAtMs, failure } = record;
  return {
    $typeName: "llmgateway.v1.Job",
    jobId: record.jobId,
    status: record.state,
    ...estimated(record.estimatedPicoUsd),
    ...spent(record.costPicoUsd),
    model: record.model,
    ...times({
      createdAt: record.createdAtMs,
      runAt: record.dueAtMs,
      startedAt: record.startedAtMs,
      endedAt: endedAtMs,
      resultExpiresAt: endedAtMs === undefined ? undefined : endedAtMs + resultTtlMs,
    }),
    runs: record.runs,
    ...(failure ? { failure: { $typeName: "llmgateway.v1.JobFailure", ...failure } } : {}),
    priority: record.priority,
    metadata: { ...record.metadata },
    callbackUrl: record.callbackUrl,
    batchId: record.batchId,
    customId: record.customId,
  };
}

export function batchOf(record: BatchRecord): Batch {
  const { counts } = record;
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return {
    $typeName: "llmgateway.v1.Batch",
    batchId: record.batchId,
    status: batchStatus(record),
    total,
    ...counts,
    ...estimated(record.estimatedPicoUsd),
    ...spent(record.costPicoUsd),
    ...times({ createdAt: record.createdAtMs, endedAt: record.endedAtMs }),
    callbackUrl: record.callbackUrl,
  };
}

export function batchStatus({ endedAtMs, cancelled }: BatchRecord): string {
  if (endedAtMs === undefined) return "running";
  return cancelled ? "cancelled" : "completed";
}

export function isFinal(state: JobState): boolean {
  return state !== "pending" && state !== "running";
}

export function webhookOf(record: WebhookRecord, deliveries: readonly DeliveryRecord[] = []): Webhook {
  return {
    $typeName: "llmgateway.v1.Webhook",
    webhookId: record.webhookId,
    subject: record.subject,
    url: record.url,
    status: record.state,
    attempts: record.attempts,
    ...times({
      createdAt: record.createdAtMs,
      nextAttemptAt: record.state === "pending" ? record.dueAtMs : undefined,
      deliveredAt: record.deliveredAtMs,
    }),
    deliveries: deliveries.map(deliveryOf),
  };
}

function deliveryOf({ attempt, startedAtMs, latencyMs, httpStatus, error }: DeliveryRecord): WebhookDelivery {
  return {
    $typeName: "llmgateway.v1.WebhookDelivery",
    attempt,
    startedAt: timestampFromMs(startedAtMs),
    latencyMs,
    ...(httpStatus === undefined ? {} : { httpStatus }),
    error,
  };
}

function estimated(amount: PicoUsd | undefined) {
  return amount === undefined ? {} : { estimatedCostUsd: toUsd(amount), estimatedCostPicoUsd: amount };
}

function spent(amount: PicoUsd | undefined) {
  return amount === undefined ? {} : { costUsd: toUsd(amount), costPicoUsd: amount };
}

/** Those that there are. */
function times<Name extends string>(known: Readonly<Record<Name, number | undefined>>) {
  const told: Partial<Record<Name, ReturnType<typeof timestampFromMs>>> = {};
  for (const name of Object.keys(known) as Name[]) {
    const timeMs = known[name];
    if (timeMs !== undefined) told[name] = timestampFromMs(timeMs);
  }
  return told;
}
