/** What is told of jobs and batches in PostgreSQL. It changes nothing. */
import type { JobStore } from "../../core/job-store.ts";
import { batchRecordOf, countsOf, numberOf, recordOf } from "../job-rows.ts";
import { cut, pageOf, positionOf } from "../page.ts";
import { storable } from "../rows.ts";
import type { Postgres } from "./connection.ts";
import * as statements from "./job-statements.ts";

type Reads = Pick<JobStore, "get" | "result" | "list" | "batch" | "outcomes" | "counts">;

export function readJobs({ transaction }: Postgres): Reads {
  const rowsOf = (text: string, ...values: unknown[]) =>
    transaction(async (client) => (await client.query(text, values)).rows);
  return {
    async get(jobId, { tenant, principal }) {
      const [row] = await rowsOf(statements.JOB, storable(jobId), tenant, principal);
      return row && recordOf(row);
    },
    async result(jobId) {
      const [row] = await rowsOf(statements.RESULT, storable(jobId));
      return row && new Uint8Array(row.body);
    },
    async list(filter, owner, { size, after }) {
      const { text, values } = statements.listQuery(filter, owner, positionOf("jobs", after), size + 1);
      const records = (await rowsOf(text, ...values)).map(recordOf);
      return pageOf(
        "jobs",
        cut(records, size, (job) => [job.createdAtMs, job.jobId]),
      );
    },
    async batch(batchId, { tenant, principal }) {
      return transaction(async (client) => {
        const { rows } = await client.query(statements.BATCH, [storable(batchId), tenant, principal]);
        if (!rows[0]) return undefined;
        const states = await client.query(statements.STATES_OF_BATCH, [rows[0].batch_id]);
        return batchRecordOf(rows[0], states.rows);
      });
    },
    async outcomes(batchId, { tenant, principal }, { size, after }) {
      const seen = positionOf("outcomes", after);
      const [batch] = await rowsOf(statements.BATCH, storable(batchId), tenant, principal);
      if (!batch) return { rows: [], next: undefined };
      const start = seen?.[0] ?? 0;
      const rows = await rowsOf(statements.OUTCOMES, batch.batch_id, start, size + 1);
      const more = rows.length > size || rows.length < Number(rows[0]?.found ?? 0);
      const page = cut(rows, size, (row) => [row.batch_place, ""], more);
      // More will come while the batch has not ended.
      const end =
        batch.ended_at_ms === null ? ([page.rows.at(-1)?.batch_place ?? start, ""] as const) : undefined;
      const outcomes = page.rows.map((row) => ({
        job: recordOf(row),
        result: row.body ? new Uint8Array(row.body) : undefined,
      }));
      return pageOf("outcomes", { rows: outcomes, next: page.next ?? end });
    },
    async counts(runningSinceMs) {
      const [states, [waiting]] = await Promise.all([
        rowsOf(statements.STATES),
        rowsOf(statements.WAITING, runningSinceMs),
      ]);
      return {
        byState: countsOf(states, "jobs"),
        oldestDueAtMs: numberOf(waiting?.oldest),
        stuck: Number(waiting?.stuck),
      };
    },
  };
}
