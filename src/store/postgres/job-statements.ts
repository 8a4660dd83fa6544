/** What is said to PostgreSQL of jobs and batches. It knows no connection and no queue. */
import type { JobFilter, Owner } from "../../core/job-store.ts";
import { BATCH_COLUMNS, DRAFT_COLUMNS, NEW_WEBHOOK_COLUMNS, RECORD_COLUMNS } from "../job-rows.ts";
import { PAGE_BYTES, type Position } from "../page.ts";
import { type Columns, type Kind, storable } from "../rows.ts";
import { insert } from "./statements.ts";

const INTEGERS = ["priority", "open_jobs", "attempt", "http_status"];
/** So many jobs at once that others are not held up. */
export const CHUNK_JOBS = 1_000;

export const INSERT_JOBS = insert("jobs", { ...kindsOf(DRAFT_COLUMNS), message_id: "uuid" });
export const INSERT_REQUESTS =
  "INSERT INTO job_requests SELECT * FROM unnest($1::text[], $2::bytea[]) ON CONFLICT DO NOTHING";
export const INSERT_BATCH = insert("batches", kindsOf(BATCH_COLUMNS));
export const INSERT_WEBHOOKS = insert("webhooks", kindsOf(NEW_WEBHOOK_COLUMNS));
export const INSERT_RESULT = "INSERT INTO job_results VALUES ($1, $2) ON CONFLICT DO NOTHING";

export const KEY =
  "SELECT id, fingerprint FROM job_keys WHERE tenant = $1 AND principal = $2 AND idempotency_key = $3";
export const INSERT_KEY = `
  INSERT INTO job_keys (tenant, principal, idempotency_key, fingerprint, id) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT DO NOTHING`;

export const STORED = `
  SELECT count(*) AS stored, count(*) FILTER (WHERE state = 'pending') AS pending FROM jobs`;

const RECORD = RECORD_COLUMNS.map((name) => `j.${name}`).join();
/** What must be known of a job to change it, from the database's lock on it on. */
const HELD =
  "job_id, message_id, batch_id, tenant, principal, callback_url, state, cost_pico_usd, cancel_requested, parked";

/** Leaves out those that are being changed: whoever does so has their message, or it comes back by itself. */
export const TAKE = `
  WITH held AS (
    SELECT job_id, state FROM jobs
    WHERE job_id = ANY($1::text[])
      AND (state = 'running' OR state = 'pending' AND (runs > 0 OR parked IS NOT NULL OR due_at_ms + start_within_ms >= $2))
    FOR UPDATE SKIP LOCKED)
  UPDATE jobs AS j SET state = 'running', started_at_ms = $2, runs = j.runs + 1, holder = $3, partial = '',
    lost_runs = j.lost_runs + (held.state = 'running')::integer,
    cost_pico_usd = CASE WHEN held.state = 'pending' OR j.parked IS NOT NULL THEN j.cost_pico_usd END
  FROM held WHERE j.job_id = held.job_id
  RETURNING ${RECORD}, j.parked, (SELECT body FROM job_requests AS r WHERE r.job_id = j.job_id) AS request`;
export const OPEN_ONES =
  "SELECT job_id FROM jobs WHERE job_id = ANY($1::text[]) AND state IN ('pending', 'running')";

const OURS = "job_id = $1 AND runs = $2 AND holder = $3 AND state = 'running'";
export const HOLD = `SELECT ${HELD} FROM jobs WHERE ${OURS} FOR UPDATE`;
export const PARK = `UPDATE jobs SET parked = $4 WHERE ${OURS}`;
/** It is to begin by the same time as before, but for the time that it was under way. */
export const HAND_BACK = `
  UPDATE jobs SET state = 'pending', due_at_ms = $2, start_within_ms = start_within_ms + due_at_ms + $4 - started_at_ms - $2,
    cost_pico_usd = $3, runs = runs - 1, holder = '', partial = '', failure = coalesce($5, failure),
    parked = CASE WHEN $5 IS NULL THEN parked END, started_at_ms = CASE WHEN runs > 1 THEN started_at_ms END
  WHERE job_id = $1`;
export const RETRY = `
  UPDATE jobs SET state = 'pending', due_at_ms = $2, failure = $3, cost_pico_usd = $4, holder = '', partial = '',
    parked = NULL
  WHERE job_id = $1`;

export const RENEW = `
  SELECT j.job_id, j.runs, j.message_id, j.cancel_requested FROM jobs AS j, jsonb_array_elements($1::jsonb) AS r
  WHERE j.job_id = r->>0 AND j.runs = (r->>1)::integer AND j.holder = $2 AND j.state = 'running'
  ORDER BY j.job_id FOR UPDATE OF j`;
export const SAY = `
  UPDATE jobs SET partial = r->>1 FROM jsonb_array_elements($1::jsonb) AS r WHERE job_id = r->>0`;

export const END = `
  UPDATE jobs AS j SET state = $2, ended_at_ms = $3, failure = coalesce($4, j.failure), holder = '', partial = '',
    parked = NULL, cost_pico_usd = (r->>1)::bigint, batch_place = (r->>2)::integer
  FROM jsonb_array_elements($1::jsonb) AS r WHERE j.job_id = r->>0`;
export const COUNT_DOWN = `
  UPDATE batches SET open_jobs = open_jobs - $2, ended_jobs = ended_jobs + $2,
    ended_at_ms = CASE WHEN open_jobs = $2 THEN $3::bigint END
  WHERE batch_id = $1 RETURNING *`;

const OWNED = "tenant = $2 AND principal = $3";
export const JOB = `SELECT ${RECORD} FROM jobs AS j WHERE job_id = $1 AND ${OWNED}`;
export const BATCH = `SELECT * FROM batches WHERE batch_id = $1 AND ${OWNED}`;
export const CANCEL_BATCH = `
  UPDATE batches SET cancelled = cancelled OR ended_at_ms IS NULL WHERE batch_id = $1 AND ${OWNED}`;
/** In the order in which all lock who lock several. */
export const HOLD_TO_CANCEL = (column: "job_id" | "batch_id") => `
  SELECT ${HELD} FROM jobs
  WHERE ${column} = $1 AND ${OWNED}
    AND (state = 'pending' AND parked IS NULL OR state IN ('pending', 'running') AND NOT cancel_requested)
  ORDER BY job_id LIMIT ${CHUNK_JOBS} FOR UPDATE`;
export const REQUEST_CANCEL = `
  UPDATE jobs SET cancel_requested = true, due_at_ms = CASE WHEN state = 'pending' THEN $2 ELSE due_at_ms END
  WHERE job_id = ANY($1::text[])`;
export const HOLD_TO_EXPIRE = `
  SELECT ${HELD} FROM jobs WHERE job_id IN (
    SELECT job_id FROM jobs WHERE state = 'pending' AND runs = 0 AND parked IS NULL AND due_at_ms + start_within_ms < $1
    LIMIT ${CHUNK_JOBS})
  AND state = 'pending' AND runs = 0 AND parked IS NULL ORDER BY job_id FOR UPDATE`;

const NOT_AWAITED =
  "NOT EXISTS (SELECT 1 FROM webhooks AS w WHERE w.webhook_id IN (j.job_id, j.batch_id) AND w.state = 'pending')";
/** Whoever waits for the whole of a batch comes for its results then. */
const WHOLE = `NOT EXISTS (
  SELECT 1 FROM batches AS b WHERE b.batch_id = j.batch_id AND coalesce(b.ended_at_ms >= $1, true))`;
const ended = (purged: boolean) => `
  SELECT job_id FROM jobs AS j WHERE purged = ${purged} AND ended_at_ms < $1 AND ${WHOLE} AND ${NOT_AWAITED}
  LIMIT ${CHUNK_JOBS} FOR UPDATE SKIP LOCKED`;
export const PURGE = `
  WITH old AS (${ended(false)}),
    requests AS (DELETE FROM job_requests WHERE job_id IN (SELECT job_id FROM old)),
    results AS (DELETE FROM job_results WHERE job_id IN (SELECT job_id FROM old))
  UPDATE jobs SET purged = true WHERE job_id IN (SELECT job_id FROM old)`;
export const FORGET = `DELETE FROM jobs WHERE job_id IN (${ended(true)}) RETURNING job_id, batch_id`;
export const FORGET_BATCHES = `
  DELETE FROM batches AS b WHERE batch_id = ANY($1::text[])
    AND NOT EXISTS (SELECT 1 FROM jobs AS j WHERE j.batch_id = b.batch_id AND j.batch_id <> '')
  RETURNING batch_id`;
/** Of what bore these ids. */
export const FORGET_REST = `
  WITH hooks AS (DELETE FROM webhooks WHERE webhook_id = ANY($1::text[])),
    tries AS (DELETE FROM webhook_deliveries WHERE webhook_id = ANY($1::text[]))
  DELETE FROM job_keys WHERE id = ANY($1::text[])`;

export const RESULT = "SELECT body FROM job_results WHERE job_id = $1";
export const STATES_OF_BATCH = `
  SELECT state, count(*) AS jobs, count(estimated_pico_usd) AS estimated, count(cost_pico_usd) AS priced,
    coalesce(sum(estimated_pico_usd), 0)::text AS estimated_pico_usd,
    coalesce(sum(cost_pico_usd), 0)::text AS cost_pico_usd
  FROM jobs WHERE batch_id = $1 AND batch_id <> '' GROUP BY state`;
/** As many as fill a page, each with how many were `found` for it. */
export const OUTCOMES = `
  SELECT * FROM (
    SELECT *, count(*) OVER () AS found, sum(octet_length(body)) OVER (
      ORDER BY batch_place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM (
      SELECT ${RECORD}, j.batch_place, r.body FROM jobs AS j LEFT JOIN job_results AS r ON r.job_id = j.job_id
      WHERE j.batch_id = $1 AND j.batch_id <> '' AND j.batch_place > $2 ORDER BY j.batch_place LIMIT $3) AS asked) AS given
  WHERE coalesce(bytes_before, 0) < ${PAGE_BYTES} ORDER BY batch_place`;
export const STATES = "SELECT state, count(*) AS jobs FROM jobs GROUP BY state";
export const WAITING = `
  SELECT (SELECT min(due_at_ms) FROM jobs WHERE state = 'pending') AS oldest,
    (SELECT count(*) FROM jobs WHERE state = 'running' AND started_at_ms < $1) AS stuck`;

export function listQuery(filter: JobFilter, owner: Owner, position: Position | undefined, limit: number) {
  const values: unknown[] = [limit];
  const conditions: string[] = [];
  const where = (condition: string, value: unknown) => {
    if (value === undefined) return;
    values.push(typeof value === "string" ? storable(value) : value);
    conditions.push(`${condition} $${values.length}`);
  };
  where("tenant =", owner.tenant);
  where("principal =", owner.principal);
  where("state =", filter.state);
  where("batch_id =", filter.batchId);
  where("model =", filter.model);
  where("created_at_ms >=", filter.createdAfterMs);
  where("created_at_ms <", filter.createdBeforeMs);
  if (position) {
    const [atMs, id] = position;
    conditions.push(`(created_at_ms, job_id) < ($${values.push(atMs)}, $${values.push(storable(id))})`);
  }
  const text = `
    SELECT ${RECORD} FROM jobs AS j WHERE ${conditions.join(" AND ")}
    ORDER BY created_at_ms DESC, job_id DESC LIMIT $1`;
  return { text, values };
}

export function kindsOf(columns: readonly string[]): Columns {
  return Object.fromEntries(columns.map((name) => [name, kindOf(name)]));
}

function kindOf(name: string): Kind {
  if (/_(?:ms|pico_usd)$/.test(name)) return "bigint";
  return INTEGERS.includes(name) ? "integer" : "text";
}
