/** How jobs end in PostgreSQL: with their webhook, their place in the batch, and their message. It chooses none. */
import type { PoolClient } from "pg";
import type { Ending } from "../../core/job-store.ts";
import { costWith, failureText, type StoredRow, webhookRow } from "../job-rows.ts";
import { textOf } from "../rows.ts";
import * as statements from "./job-statements.ts";
import type { Queue } from "./queue.ts";

/** A row that this transaction has locked. */
export interface HeldJob extends StoredRow {
  readonly job_id: string;
  readonly message_id: string;
  readonly batch_id: string;
  readonly state: string;
  readonly cost_pico_usd: string | null;
  readonly cancel_requested: boolean;
  readonly parked: string | null;
}

/** In the order in which all lock: jobs, which are locked already, then batches, then messages. */
export async function endJobs(
  client: PoolClient,
  queue: Queue,
  jobs: readonly HeldJob[],
  { state, atMs, failure, costPicoUsd }: Ending,
): Promise<void> {
  if (jobs.length === 0) return;
  const webhooks = jobs.filter((job) => job.callback_url !== "").map((job) => webhookRow("job", job, atMs));
  const ended: unknown[] = [];
  const byBatch = Object.entries(Object.groupBy(jobs, (job) => job.batch_id));
  for (const [batchId, members = []] of byBatch.sort(([a], [b]) => (a < b ? -1 : 1))) {
    const batch = batchId === "" ? undefined : await countDown(client, batchId, members.length, atMs);
    const before = Number(batch?.ended_jobs) - members.length;
    for (const [index, job] of members.entries()) {
      const place = batch ? before + index + 1 : null;
      ended.push([job.job_id, costWith(job.cost_pico_usd, costPicoUsd), place]);
    }
    if (batch?.open_jobs === 0 && batch.callback_url !== "") webhooks.push(webhookRow("batch", batch, atMs));
  }
  await client.query(statements.END, [textOf(ended), state, atMs, failureText(failure)]);
  if (webhooks.length > 0) await client.query(statements.INSERT_WEBHOOKS, [textOf(webhooks)]);
  await queue.drop(
    client,
    jobs.map((job) => job.message_id),
  );
}

async function countDown(client: PoolClient, batchId: string, jobs: number, atMs: number) {
  const { rows } = await client.query<StoredRow>(statements.COUNT_DOWN, [batchId, jobs, atMs]);
  return rows[0];
}
