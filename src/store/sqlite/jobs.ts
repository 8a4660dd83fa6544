/**
 * The tables of jobs and batches in SQLite. It blocks while the disk works, and knows neither threads nor page
 * tokens.
 */
import {
  type BatchOutcome,
  type BatchRecord,
  type Ending,
  type FinalState,
  type JobCounts,
  type JobFilter,
  type JobRecord,
  LEASE_MS,
  type Owner,
  type Renewal,
  type Renewed,
  type Repeated,
  type RunCost,
  type RunKey,
  type StoredFailure,
  type Submission,
  type SubmissionKey,
  type Submitted,
  type TakenJob,
} from "../../core/job-store.ts";
import type { PicoUsd } from "../../core/money.ts";
import {
  batchRecordOf,
  batchRow,
  costWith,
  countsOf,
  draftRow,
  dueAgain,
  failureText,
  isIdle,
  recordOf,
  type StoredRow,
  type Value,
  webhookRow,
} from "../job-rows.ts";
import { cut, type Position, pageful, type Rows } from "../page.ts";
import { bytesOf, outcomeOf, placeOf, withSums } from "./batch-rows.ts";
import { CHUNK_ROWS, type Database } from "./database.ts";
import { prepareJobs, RECORD } from "./job-statements.ts";
import { firstDue, nextJobs } from "./waiting.ts";

export class SqliteJobs {
  private readonly db: Database;
  private readonly instance: string;
  private readonly statements: ReturnType<typeof prepareJobs>;

  /** Runs that another process left are lost with it: there is but one. */
  constructor(db: Database, instance: string) {
    this.db = db;
    this.instance = instance;
    this.statements = prepareJobs(db);
    this.write(() => this.statements.loseAll.run());
  }

  submit(submission: Submission): Submitted {
    const { batch, jobs, idempotencyKey, fingerprint, maxPending, maxStored } = submission;
    const [first] = jobs;
    const { tenant = "", principal = "" } = first ?? {};
    const { addKey, addBatch, addJob, addRequest } = this.statements;
    return this.write(() => {
      const before = this.submitted({ tenant, principal }, submission);
      if (before) return before;
      const counts = this.byState();
      const stored = Object.values(counts).reduce((sum, count) => sum + count, 0);
      if (counts.pending + jobs.length > maxPending) return { outcome: "full", limit: "max_pending" };
      if (stored + jobs.length > maxStored) return { outcome: "full", limit: "max_stored" };
      if (idempotencyKey)
        addKey.run(tenant, principal, idempotencyKey, fingerprint, batch?.batchId ?? first?.jobId ?? "");
      if (batch) addBatch.run(...batchRow(batch, jobs.length));
      for (const job of jobs) {
        addJob.run(...draftRow(job));
        addRequest.run(job.jobId, job.request);
      }
      return { outcome: "stored" };
    });
  }

  submitted({ tenant, principal }: Owner, key: SubmissionKey): Repeated | undefined {
    const before = key.idempotencyKey && this.statements.key.get(tenant, principal, key.idempotencyKey);
    if (!before) return undefined;
    return { outcome: "repeated", id: String(before.id), same: before.fingerprint === key.fingerprint };
  }

  take(limit: number, nowMs: number): TakenJob[] {
    const { begin, request } = this.statements;
    return this.write(() => {
      return nextJobs(this.statements, limit, nowMs).map(({ job_id }) => {
        const id = String(job_id);
        const row = begin.get(nowMs, this.instance, nowMs + LEASE_MS, id) ?? {};
        const body = request.get(id)?.body as Uint8Array;
        return { job: recordOf(row), request: body, parked: (row.parked as string | null) ?? undefined };
      });
    });
  }

  renew(runs: readonly Renewal[], nowMs: number): Renewed[] {
    if (runs.length === 0) return [];
    return this.write(() =>
      runs.map(({ jobId, run, partial }) => {
        const key = [jobId, run, this.instance] as const;
        const row = this.statements.renew.get(nowMs + LEASE_MS, partial ?? null, ...key);
        return { jobId, run, order: !row ? "lost" : row.cancel_requested ? "cancel" : "go on" };
      }),
    );
  }

  park({ jobId, run }: RunKey, parked: string): boolean {
    return this.write(() => changed(this.statements.park.run(parked, jobId, run, this.instance)));
  }

  retry(run: RunKey, dueAtMs: number, failure: StoredFailure, { costPicoUsd }: RunCost): boolean {
    return this.ofOurs(run, (row) => {
      const cost = costWith(row.cost_pico_usd, costPicoUsd);
      return changed(this.statements.retry.run(dueAtMs, failureText(failure), cost, run.jobId));
    });
  }

  handBack(
    run: RunKey,
    nowMs: number,
    dueAtMs: number,
    { costPicoUsd }: RunCost,
    failure?: StoredFailure,
  ): boolean {
    return this.ofOurs(run, (row) => {
      const cost = costWith(row.cost_pico_usd, costPicoUsd);
      const due = dueAgain(row, nowMs, dueAtMs, failure);
      const values = { due, now: nowMs, cost, failure: failureText(failure), id: run.jobId };
      return changed(this.statements.handBack.run(values));
    });
  }

  finish(run: RunKey, { state, atMs, failure, result, costPicoUsd }: Ending): boolean {
    return this.ofOurs(run, (row) => {
      this.end(row, state, atMs, failureText(failure), costWith(row.cost_pico_usd, costPicoUsd));
      if (result) this.statements.addResult.run(run.jobId, result);
      return true;
    });
  }

  cancel(
    target: { readonly jobId: string } | { readonly batchId: string },
    { tenant, principal }: Owner,
    nowMs: number,
  ): boolean {
    const { job, batch, cancelBatch, jobsOfBatch } = this.statements;
    return this.write(() => {
      if ("jobId" in target) {
        const row = job.get(target.jobId, tenant, principal);
        if (row) this.cancelOne(row, nowMs);
        return row !== undefined;
      }
      if (!batch.get(target.batchId, tenant, principal)) return false;
      cancelBatch.run(target.batchId);
      for (const row of jobsOfBatch.all(target.batchId)) this.cancelOne(row, nowMs);
      return true;
    });
  }

  /** A part of the work: at most CHUNK_ROWS. */
  expire(nowMs: number): number {
    return this.write(() => {
      const rows = this.statements.overdue.all(nowMs);
      for (const row of rows) this.end(row, "expired", nowMs);
      return rows.length;
    });
  }

  /** A part of the work. Returns whether there is more. */
  purge(endedBeforeMs: number, forgetBeforeMs: number): boolean {
    const { toPurge, purge, toForget } = this.statements;
    return this.write(() => {
      const purged = toPurge.all({ before: endedBeforeMs });
      for (const { job_id: id = null } of purged) {
        for (const statement of this.statements.deletePayload) statement.run(id);
        purge.run(id);
      }
      const forgotten = toForget.all({ before: forgetBeforeMs });
      for (const row of forgotten) this.forget(String(row.job_id), String(row.batch_id));
      return purged.length === CHUNK_ROWS || forgotten.length === CHUNK_ROWS;
    });
  }

  get(jobId: string, { tenant, principal }: Owner): JobRecord | undefined {
    const row = this.statements.job.get(jobId, tenant, principal);
    return row && recordOf(row);
  }

  result(jobId: string): Uint8Array | undefined {
    return this.statements.result.get(jobId)?.body as Uint8Array | undefined;
  }

  list(filter: JobFilter, owner: Owner, size: number, after: Position | undefined): Rows<JobRecord> {
    const asked: readonly (readonly [string, string | number | undefined])[] = [
      ["tenant = ?", owner.tenant],
      ["principal = ?", owner.principal],
      ["state = ?", filter.state],
      // SQLite does not see by itself that the index of batches has it.
      ["batch_id <> '' AND batch_id = ?", filter.batchId],
      ["model = ?", filter.model],
      ["created_at_ms >= ?", filter.createdAfterMs],
      ["created_at_ms < ?", filter.createdBeforeMs],
    ];
    const given = asked.flatMap(([condition, value]) => (value === undefined ? [] : [{ condition, value }]));
    const conditions = given.map(({ condition }) => condition);
    if (after) conditions.push("(created_at_ms, job_id) < (?, ?)");
    const statement = this.db.prepare(`
      SELECT ${RECORD} FROM jobs WHERE ${conditions.join(" AND ")}
      ORDER BY created_at_ms DESC, job_id DESC LIMIT ?`);
    statement.setReadBigInts(true);
    const values = [...given.map(({ value }) => value), ...(after ?? []), size + 1];
    return cut(statement.all(...values).map(recordOf), size, (job) => [job.createdAtMs, job.jobId]);
  }

  batch(batchId: string, { tenant, principal }: Owner): BatchRecord | undefined {
    const row = this.statements.batch.get(batchId, tenant, principal);
    return row && batchRecordOf(row, this.statements.states.all(batchId).map(withSums));
  }

  outcomes(
    batchId: string,
    { tenant, principal }: Owner,
    size: number,
    after: Position = [0, ""],
  ): Rows<BatchOutcome> {
    const batch = this.statements.batch.get(batchId, tenant, principal);
    if (!batch) return { rows: [], next: undefined };
    const found = pageful(this.statements.outcomes.iterate(batchId, after[0], size + 1), bytesOf);
    const { rows, next } = cut(found.rows, size, placeOf, found.more);
    const last = rows.at(-1);
    const onward = batch.ended_at_ms === null ? ((last && placeOf(last)) ?? after) : next;
    return { rows: rows.map(outcomeOf), next: onward };
  }

  counts(runningSinceMs: number): JobCounts {
    return {
      byState: this.byState(),
      oldestDueAtMs: firstDue(this.statements),
      stuck: Number(this.statements.stuck.get(runningSinceMs)?.jobs),
    };
  }

  private write<T>(work: () => T): T {
    return this.db.write(true, work);
  }

  private byState() {
    return countsOf(this.statements.counts.all(), "jobs");
  }

  /** False, and nothing is done, for what is not this process's latest run of the job. */
  private ofOurs({ jobId, run }: RunKey, act: (row: StoredRow) => boolean): boolean {
    return this.write(() => {
      const row = this.statements.held.get(jobId, run, this.instance);
      return row !== undefined && act(row);
    });
  }

  private cancelOne(row: StoredRow, nowMs: number): void {
    if (isIdle(row)) this.end(row, "cancelled", nowMs);
    else this.statements.requestCancel.run(nowMs, String(row.job_id));
  }

  private end(
    row: StoredRow,
    state: FinalState,
    atMs: number,
    failure: Value = null,
    cost: Value = costWith(row.cost_pico_usd, 0n as PicoUsd),
  ): void {
    const { end, addWebhook } = this.statements;
    if (row.callback_url !== "") addWebhook.run(...webhookRow("job", row, atMs));
    end.run(state, atMs, failure, cost, this.placeInBatch(String(row.batch_id), atMs), String(row.job_id));
  }

  /** Of the job that ends, which may be the batch's last. */
  private placeInBatch(batchId: string, atMs: number): number | null {
    if (batchId === "") return null;
    const batch = this.statements.endInBatch.get(atMs, batchId) ?? {};
    if (batch.ended_at_ms !== null && batch.callback_url !== "")
      this.statements.addWebhook.run(...webhookRow("batch", batch, atMs));
    return Number(batch.ended_jobs);
  }

  private forget(jobId: string, batchId: string): void {
    const { deletePayload, deleteJob, deleteTraces, forgetBatch } = this.statements;
    for (const statement of [...deletePayload, ...deleteTraces, deleteJob]) statement.run(jobId);
    if (batchId !== "" && changed(forgetBatch.run(batchId)))
      for (const statement of deleteTraces) statement.run(batchId);
  }
}

function changed({ changes }: { readonly changes: number | bigint }): boolean {
  return Number(changes) > 0;
}
