/**
 * Connections to PostgreSQL: transactions that survive the loss of a connection, and migrations that several
 * replicas may start at once. It knows nothing of the tables.
 */
import { setTimeout as wait } from "node:timers/promises";
import { DatabaseError, Pool, type PoolClient, type QueryConfig } from "pg";
import { DatabaseFault } from "../../core/database-fault.ts";
import { messageOf } from "../../core/message.ts";
import { redact } from "../../core/redact.ts";
import { type Migrations, stepsFrom } from "../version.ts";

export interface Postgres {
  readonly pool: Pool;
  /** All of it or nothing. Must be safe to do again: a commit may be lost on its way back. */
  transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T>;
}

/** How long to wait before each further try. A restart of the database is for the caller to wait for. */
const RETRY_AFTER_MS = [0, 300];
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
/** What is done to tables of many rows takes its time. */
const MIGRATION_TIMEOUT_MS = 3_600_000;
/** While a migration waits for who reads a table, such as a backup, all who write to it wait behind it: not for longer. */
const LOCK_WITHIN_MS = 1_000;
const LOCK_AGAIN_MS = 2_000;
/** Any number that nobody else locks. */
export const MIGRATIONS_KEY = "7063041298531";

export function connectPostgres(connectionString: string): Postgres {
  const pool = new Pool({
    ...settingsOf(connectionString),
    max: 5,
    // Stops what waits for a server that does not answer, which TCP alone may take hours to tell.
    query_timeout: STATEMENT_TIMEOUT_MS + CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
  });
  // A connection that is lost is replaced with the next use; whoever is using it learns from the query.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return { pool, transaction: (work) => retried(() => inTransaction(pool, work)) };
}

export function settingsOf(connectionString: string) {
  return {
    connectionString,
    application_name: "llmgateway",
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  };
}

/** @throws Error when the database is newer than the program */
export async function migratePostgres(postgres: Postgres, migrations: Migrations): Promise<void> {
  const endMs = performance.now() + MIGRATION_TIMEOUT_MS;
  for (;;) {
    try {
      return await migrate(postgres, migrations);
    } catch (error) {
      if (!isLockedOut(error) || performance.now() > endMs) throw error;
    }
    await wait(LOCK_AGAIN_MS);
  }
}

async function migrate({ transaction }: Postgres, migrations: Migrations): Promise<void> {
  await transaction(async (client) => {
    // Before the lock, which another replica has for as long as it migrates.
    await client.query("SET LOCAL statement_timeout = 0");
    await client.query(patient("SELECT pg_advisory_xact_lock($1)", MIGRATIONS_KEY));
    await client.query(`SET LOCAL lock_timeout = ${LOCK_WITHIN_MS}`);
    await client.query(
      "CREATE TABLE IF NOT EXISTS llmgateway_migrations (version integer PRIMARY KEY, applied_at_ms bigint NOT NULL)",
    );
    const { rows } = await client.query(
      "SELECT coalesce(max(version), 0) AS version FROM llmgateway_migrations",
    );
    for (const { version, sql } of stepsFrom(rows[0]?.version, migrations)) {
      await client.query(patient(sql));
      await client.query("INSERT INTO llmgateway_migrations VALUES ($1, $2)", [version, Date.now()]);
    }
  });
}

function patient(text: string, ...values: string[]): QueryConfig {
  const query = { text, query_timeout: MIGRATION_TIMEOUT_MS };
  // Where there are values, there may be one statement only.
  return values.length > 0 ? { ...query, values } : query;
}

/** What PostgreSQL said, without its password. */
export function saidBy(error: unknown): string {
  // To reach a host by several addresses fails with an error for each, and a message of none.
  const [first = error] = error instanceof AggregateError ? error.errors : [];
  return redact(messageOf(first));
}

async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    broken = false;
    return result;
  } catch (error) {
    // Whatever else it is, the connection may not answer any more.
    if (error instanceof DatabaseError) {
      await client.query("ROLLBACK");
      broken = false;
    }
    throw error;
  } finally {
    client.release(broken);
  }
}

async function retried<T>(act: () => Promise<T>, tries = 1): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const delayMs = RETRY_AFTER_MS[tries - 1];
    if (!isPassing(error)) throw new Error(saidBy(error), { cause: error });
    if (delayMs === undefined) throw new DatabaseFault(saidBy(error), { cause: error });
    await wait(delayMs);
  }
  return retried(act, tries + 1);
}

function isLockedOut(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof DatabaseError && cause.code === "55P03";
}

/** Whether it may be otherwise with the next try: the connection failed, two waited for each other, or it restarts. */
function isPassing(error: unknown): boolean {
  return !(error instanceof DatabaseError) || /^(?:08|40|53|57P)/.test(error.code ?? "");
}
