/**
 * Jobs, batches and webhooks as rows of plain values, and back. It knows which columns there are, and no database.
 */
import type {
  BatchDraft,
  BatchRecord,
  JobRecord,
  JobState,
  NewJob,
  Owner,
  StoredFailure,
} from "../core/job-store.ts";
import type { PicoUsd } from "../core/money.ts";
import type { DeliveryRecord, WebhookRecord, WebhookState } from "../core/outbox.ts";
import { integer, textOf } from "./rows.ts";

export type Value = string | number | null;
/** As a database gives it: whole numbers in any form, JSON as text. */
export type StoredRow = Readonly<Record<string, unknown>>;

/** What a job is stored with, in the order of `draftRow`. What it asks lies beside it. */
export const DRAFT_COLUMNS = [
  "job_id",
  "batch_id",
  "custom_id",
  "tenant",
  "principal",
  "priority",
  "created_at_ms",
  "due_at_ms",
  "start_within_ms",
  "model",
  "metadata",
  "callback_url",
  "estimated_pico_usd",
  "traceparent",
] as const;

/** What `recordOf` reads. */
export const RECORD_COLUMNS = [
  ...DRAFT_COLUMNS,
  "state",
  "started_at_ms",
  "ended_at_ms",
  "runs",
  "lost_runs",
  "cost_pico_usd",
  "failure",
  "cancel_requested",
  "partial",
  "purged",
] as const;

/** In the order of `batchRow`. */
export const BATCH_COLUMNS = [
  "batch_id",
  "tenant",
  "principal",
  "created_at_ms",
  "callback_url",
  "open_jobs",
] as const;

/** In the order of `webhookRow`; the rest is filled in. */
export const NEW_WEBHOOK_COLUMNS = [
  "webhook_id",
  "subject",
  "tenant",
  "principal",
  "url",
  "host",
  "created_at_ms",
  "due_at_ms",
  "since_ms",
] as const;

/** In the order of `deliveryRow`. */
export const DELIVERY_COLUMNS = [
  "webhook_id",
  "attempt",
  "started_at_ms",
  "latency_ms",
  "http_status",
  "error",
] as const;

export function draftRow(job: NewJob): Value[] {
  return [
    job.jobId,
    job.batchId,
    job.customId,
    job.tenant,
    job.principal,
    job.priority,
    job.createdAtMs,
    job.dueAtMs,
    job.startWithinMs,
    job.model,
    textOf(job.metadata),
    job.callbackUrl,
    integer(job.estimatedPicoUsd),
    job.traceparent,
  ];
}

export function recordOf(row: StoredRow): JobRecord {
  return {
    ...ownerOf(row),
    jobId: text(row.job_id),
    batchId: text(row.batch_id),
    customId: text(row.custom_id),
    priority: Number(row.priority),
    createdAtMs: Number(row.created_at_ms),
    dueAtMs: Number(row.due_at_ms),
    startWithinMs: Number(row.start_within_ms),
    model: text(row.model),
    metadata: JSON.parse(text(row.metadata)),
    callbackUrl: text(row.callback_url),
    estimatedPicoUsd: moneyOf(row.estimated_pico_usd),
    traceparent: text(row.traceparent),
    state: row.state as JobState,
    startedAtMs: numberOf(row.started_at_ms),
    endedAtMs: numberOf(row.ended_at_ms),
    runs: Number(row.runs),
    lostRuns: Number(row.lost_runs),
    costPicoUsd: moneyOf(row.cost_pico_usd),
    failure: row.failure === null ? undefined : JSON.parse(text(row.failure)),
    cancelRequested: Boolean(row.cancel_requested),
    partial: text(row.partial),
    purged: Boolean(row.purged),
  };
}

export function failureText(failure: StoredFailure | undefined): string | null {
  return failure ? textOf(failure) : null;
}

/** What a job has cost with another run. Once it is unknown it stays so. */
export function costWith(before: unknown, cost: PicoUsd | undefined): Value {
  const known = moneyOf(before);
  return known === undefined || cost === undefined ? null : integer(known + cost);
}

export function batchRow(batch: BatchDraft, openJobs: number): Value[] {
  return [batch.batchId, batch.tenant, batch.principal, batch.createdAtMs, batch.callbackUrl, openJobs];
}

/**
 * @param states its jobs by `state`: how many (`jobs`), how many of them are `estimated` and `priced`, and the sums
 *   `estimated_pico_usd` and `cost_pico_usd`
 */
export function batchRecordOf(row: StoredRow, states: readonly StoredRow[]): BatchRecord {
  const sum = (known: string, amount: string) =>
    states.every((state) => Number(state[known]) === Number(state.jobs))
      ? (states.reduce((total, state) => total + BigInt(text(state[amount])), 0n) as PicoUsd)
      : undefined;
  return {
    ...ownerOf(row),
    batchId: text(row.batch_id),
    createdAtMs: Number(row.created_at_ms),
    callbackUrl: text(row.callback_url),
    cancelled: Boolean(row.cancelled),
    endedAtMs: numberOf(row.ended_at_ms),
    counts: countsOf(states, "jobs"),
    estimatedPicoUsd: sum("estimated", "estimated_pico_usd"),
    costPicoUsd: sum("priced", "cost_pico_usd"),
  };
}

/** Of rows with a `state` each. */
export function countsOf(rows: readonly StoredRow[], column: string): Record<JobState, number> {
  const counts = { pending: 0, running: 0, completed: 0, failed: 0, cancelled: 0, expired: 0 };
  for (const row of rows) counts[row.state as JobState] = Number(row[column]);
  return counts;
}

/** Of a job's or batch's row that ended then. */
export function webhookRow(subject: WebhookRecord["subject"], row: StoredRow, atMs: number): Value[] {
  const [id, url] = [text(row[`${subject}_id`]), text(row.callback_url)];
  return [id, subject, text(row.tenant), text(row.principal), url, hostOf(url), atMs, atMs, atMs];
}

export function webhookOf(row: StoredRow): WebhookRecord {
  return {
    ...ownerOf(row),
    webhookId: text(row.webhook_id),
    subject: row.subject as WebhookRecord["subject"],
    url: text(row.url),
    state: row.state as WebhookState,
    attempts: Number(row.attempts),
    createdAtMs: Number(row.created_at_ms),
    dueAtMs: Number(row.due_at_ms),
    sinceMs: Number(row.since_ms),
    deliveredAtMs: numberOf(row.delivered_at_ms),
  };
}

export function deliveryRow(delivery: DeliveryRecord): Value[] {
  const { webhookId, attempt, startedAtMs, latencyMs, httpStatus, error } = delivery;
  return [webhookId, attempt, startedAtMs, latencyMs, httpStatus ?? null, error];
}

export function deliveryOf(row: StoredRow): DeliveryRecord {
  return {
    webhookId: text(row.webhook_id),
    attempt: Number(row.attempt),
    startedAtMs: Number(row.started_at_ms),
    latencyMs: Number(row.latency_ms),
    httpStatus: numberOf(row.http_status),
    error: text(row.error),
  };
}

function ownerOf(row: StoredRow): Owner {
  return { tenant: text(row.tenant), principal: text(row.principal) };
}

function text(value: unknown): string {
  return String(value);
}

export function numberOf(value: unknown): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}

function moneyOf(value: unknown): PicoUsd | undefined {
  return value === null ? undefined : (BigInt(text(value)) as PicoUsd);
}

/** As URL has it; empty when it is none. */
function hostOf(url: string): string {
  return URL.parse(url)?.host ?? "";
}

/** Whether it waits, and nothing goes on elsewhere that would have to be ended first. */
export function isIdle({ state, parked }: StoredRow): boolean {
  return state === "pending" && parked === null;
}

/** When a job is due whose run is given back: one that is to be cancelled at once, unless something parked goes on. */
export function dueAgain(row: StoredRow, nowMs: number, dueAtMs: number, failure?: StoredFailure): number {
  return row.cancel_requested && (failure || row.parked === null) ? nowMs : dueAtMs;
}
