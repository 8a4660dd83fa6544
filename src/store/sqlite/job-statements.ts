/** What is said to SQLite of jobs, batches and their keys. It knows neither when nor why. */
import { BATCH_COLUMNS, DRAFT_COLUMNS, NEW_WEBHOOK_COLUMNS, RECORD_COLUMNS } from "../job-rows.ts";
import { CHUNK_ROWS, type Database, insert, SPLIT } from "./database.ts";

export const RECORD = RECORD_COLUMNS.join();

export function prepareJobs(db: Database) {
  const owned = "tenant = ? AND principal = ?";
  const held = "job_id = ? AND runs = ? AND holder = ? AND state = 'running'";
  // Whoever waits for the whole of a batch comes for its results then.
  const ended = `ended_at_ms < :before AND NOT EXISTS (
      SELECT 1 FROM batches WHERE batches.batch_id = jobs.batch_id AND coalesce(batches.ended_at_ms >= :before, true))
    AND NOT EXISTS (
      SELECT 1 FROM webhooks WHERE webhook_id IN (job_id, batch_id) AND webhooks.state = 'pending')
    LIMIT ${CHUNK_ROWS}`;
  const inBatch = "batch_id = ? AND batch_id <> ''";
  const all = {
    key: db.prepare(`SELECT fingerprint, id FROM job_keys WHERE ${owned} AND idempotency_key = ?`),
    addKey: db.prepare("INSERT INTO job_keys VALUES (?, ?, ?, ?, ?)"),
    counts: db.prepare("SELECT state, jobs FROM job_counts"),
    addBatch: db.prepare(insert("batches", BATCH_COLUMNS)),
    addJob: db.prepare(insert("jobs", DRAFT_COLUMNS)),
    addRequest: db.prepare("INSERT INTO job_requests VALUES (?, ?)"),
    addResult: db.prepare("INSERT INTO job_results VALUES (?, ?)"),
    addWebhook: db.prepare(insert("webhooks", NEW_WEBHOOK_COLUMNS)),
    request: db.prepare("SELECT body FROM job_requests WHERE job_id = ?"),
    result: db.prepare("SELECT body FROM job_results WHERE job_id = ?"),

    /** The highest priority below this one. */
    priority: db.prepare(
      "SELECT max(priority) AS priority FROM jobs WHERE state = 'pending' AND priority < ?",
    ),
    waiting: db.prepare(`
      SELECT job_id, priority, due_at_ms FROM jobs
      WHERE state = 'pending' AND priority = ? AND due_at_ms <= ? AND (runs > 0 OR parked IS NOT NULL OR due_at_ms + start_within_ms >= ?)
      ORDER BY due_at_ms, job_id LIMIT ?`),
    firstDue: db.prepare("SELECT min(due_at_ms) AS due FROM jobs WHERE state = 'pending' AND priority = ?"),
    lost: db.prepare(
      "SELECT job_id, priority, due_at_ms FROM jobs WHERE state = 'running' AND lease_until_ms <= ?",
    ),
    /** Of a new process, which is the only one: all that ran before are lost. */
    loseAll: db.prepare("UPDATE jobs SET lease_until_ms = 0 WHERE state = 'running'"),
    begin: db.prepare(`
      UPDATE jobs SET lost_runs = lost_runs + (state = 'running'),
        cost_pico_usd = CASE WHEN state = 'pending' OR parked IS NOT NULL THEN cost_pico_usd END,
        state = 'running', runs = runs + 1, started_at_ms = ?, partial = '', holder = ?, lease_until_ms = ?
      WHERE job_id = ? RETURNING ${RECORD}, parked`),

    held: db.prepare(`SELECT ${RECORD}, parked FROM jobs WHERE ${held}`),
    renew: db.prepare(`
      UPDATE jobs SET lease_until_ms = ?, partial = coalesce(?, partial) WHERE ${held}
      RETURNING cancel_requested`),
    park: db.prepare(`UPDATE jobs SET parked = ? WHERE ${held}`),
    retry: db.prepare(`
      UPDATE jobs SET state = 'pending', due_at_ms = CASE cancel_requested WHEN 0 THEN ? ELSE due_at_ms END,
        failure = ?, cost_pico_usd = ?, partial = '', parked = NULL
      WHERE job_id = ?`),
    // It is to begin by the same time as before, but for the time that it was under way.
    handBack: db.prepare(`
      UPDATE jobs SET state = 'pending', due_at_ms = :due,
        start_within_ms = start_within_ms + due_at_ms + :now - started_at_ms - :due,
        cost_pico_usd = :cost, runs = runs - 1, partial = '', failure = coalesce(:failure, failure),
        parked = CASE WHEN :failure IS NULL THEN parked END,
        started_at_ms = CASE WHEN runs > 1 THEN started_at_ms END
      WHERE job_id = :id`),
    end: db.prepare(`
      UPDATE jobs SET state = ?, ended_at_ms = ?, failure = coalesce(?, failure), cost_pico_usd = ?,
        batch_place = ?, partial = '', parked = NULL
      WHERE job_id = ?`),
    endInBatch: db.prepare(`
      UPDATE batches SET open_jobs = open_jobs - 1, ended_jobs = ended_jobs + 1,
        ended_at_ms = CASE open_jobs WHEN 1 THEN ? END
      WHERE batch_id = ? RETURNING *`),

    requestCancel: db.prepare(`
      UPDATE jobs SET cancel_requested = 1, due_at_ms = CASE state WHEN 'pending' THEN ? ELSE due_at_ms END
      WHERE job_id = ? AND state IN ('pending', 'running') AND cancel_requested = 0`),
    cancelBatch: db.prepare("UPDATE batches SET cancelled = 1 WHERE batch_id = ? AND ended_at_ms IS NULL"),
    jobsOfBatch: db.prepare(`SELECT ${RECORD}, parked FROM jobs WHERE ${inBatch} AND batch_place IS NULL`),
    overdue: db.prepare(`
      SELECT ${RECORD} FROM jobs
      WHERE state = 'pending' AND runs = 0 AND parked IS NULL AND due_at_ms + start_within_ms < ? LIMIT ${CHUNK_ROWS}`),

    toPurge: db.prepare(`SELECT job_id FROM jobs WHERE purged = 0 AND ${ended}`),
    purge: db.prepare("UPDATE jobs SET purged = 1 WHERE job_id = ?"),
    toForget: db.prepare(`SELECT job_id, batch_id FROM jobs WHERE purged IN (0, 1) AND ${ended}`),
    forgetBatch: db.prepare(`
      DELETE FROM batches WHERE batch_id = ? AND NOT EXISTS (
        SELECT 1 FROM jobs WHERE jobs.batch_id = batches.batch_id AND jobs.batch_id <> '')`),

    job: db.prepare(`SELECT ${RECORD}, parked FROM jobs WHERE job_id = ? AND ${owned}`),
    batch: db.prepare(`SELECT * FROM batches WHERE batch_id = ? AND ${owned}`),
    states: db.prepare(`
      SELECT state, count(*) AS jobs, count(estimated_pico_usd) AS estimated, count(cost_pico_usd) AS priced,
        ${sums("estimated_pico_usd")}, ${sums("cost_pico_usd")}
      FROM jobs WHERE ${inBatch} GROUP BY state`),
    outcomes: db.prepare(`
      SELECT ${RECORD_COLUMNS.map((name) => `jobs.${name}`).join()}, batch_place, body FROM jobs
      LEFT JOIN job_results USING (job_id)
      WHERE ${inBatch} AND batch_place > ? ORDER BY batch_place LIMIT ?`),
    stuck: db.prepare("SELECT count(*) AS jobs FROM jobs WHERE state = 'running' AND started_at_ms < ?"),
  };
  for (const statement of Object.values(all)) statement.setReadBigInts(true);
  return {
    ...all,
    deletePayload: [deleteOf(db, "job_requests", "job_id"), deleteOf(db, "job_results", "job_id")],
    deleteJob: deleteOf(db, "jobs", "job_id"),
    /** What a job and a batch leave behind alike. */
    deleteTraces: [
      deleteOf(db, "webhooks", "webhook_id"),
      deleteOf(db, "webhook_deliveries", "webhook_id"),
      deleteOf(db, "job_keys", "id"),
    ],
  };
}

function deleteOf(db: Database, table: string, column: string) {
  return db.prepare(`DELETE FROM ${table} WHERE ${column} = ?`);
}

function sums(column: string): string {
  return `sum(${column} / ${SPLIT}) AS ${column}_upper, sum(${column} % ${SPLIT}) AS ${column}_lower`;
}
