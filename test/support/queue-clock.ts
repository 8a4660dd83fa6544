/** The clock of the queue in PostgreSQL, which is the database's own, set to the time that a test gives the store. */
import { Pool } from "pg";
import { PgBoss } from "pg-boss";
import { onTestFinished } from "vitest";
import { QUEUE_NAME, QUEUE_SCHEMA } from "../../src/store/postgres/queue.ts";
import type { Store } from "../../src/store/store.ts";

/** Where a test's time is what it tells the store; until then it is `nowMs`. */
export async function onQueueClock(store: Store, connectionString: string, nowMs: number): Promise<Store> {
  const pool = new Pool({ connectionString, max: 1 });
  pool.on("error", () => {});
  const boss = new PgBoss({
    db: { executeSql: (text, values) => pool.query(text, values) },
    schema: QUEUE_SCHEMA,
    supervise: false,
    schedule: false,
    migrate: false,
    registerInstance: false,
  });
  boss.on("error", () => {});
  onTestFinished(async () => {
    await boss.stop({ graceful: false, close: false });
    await pool.end();
  });
  await pool.query(`
    CREATE TABLE IF NOT EXISTS ${QUEUE_SCHEMA}.clock_of_test (now_ms numeric NOT NULL);
    CREATE OR REPLACE FUNCTION ${QUEUE_SCHEMA}.job_now() RETURNS timestamptz LANGUAGE sql STABLE AS
      'SELECT to_timestamp(now_ms / 1000.0) FROM ${QUEUE_SCHEMA}.clock_of_test';`);
  let [shownMs, shows] = [Number.NaN, 0];
  const show = async (atMs: number) => {
    if (atMs === shownMs) return;
    shownMs = atMs;
    // A message is kept until the end of its time, and its upkeep comes a moment after that.
    const micros = String(++shows).padStart(3, "0");
    await pool.query(`
      BEGIN;
      DELETE FROM ${QUEUE_SCHEMA}.clock_of_test;
      INSERT INTO ${QUEUE_SCHEMA}.clock_of_test VALUES (${atMs}.${micros});
      UPDATE ${QUEUE_SCHEMA}.queue SET monitor_on = NULL, monitor_claim_on = NULL;
      COMMIT;`);
    await boss.supervise(QUEUE_NAME);
  };
  await boss.start();
  await show(nowMs);
  const { jobs } = store;
  const take = async (limit: number, atMs: number) => {
    await show(atMs);
    return jobs.take(limit, atMs);
  };
  const renew = async (runs: Parameters<typeof jobs.renew>[0], atMs: number) => {
    await show(atMs);
    return jobs.renew(runs, atMs);
  };
  return { ...store, jobs: { ...jobs, take, renew } };
}
