/**
 * The durable store on PostgreSQL, for any number of replicas. Which of them live it learns from their locks; how
 * rows become statements it does not know.
 */
import { createHash } from "node:crypto";
import type { PoolClient } from "pg";
import { systemClock } from "../../core/clock.ts";
import { hourOf } from "../../core/hours.ts";
import type { LedgerStore } from "../../core/ledger.ts";
import type { PicoUsd } from "../../core/money.ts";
import { adjustmentsOn } from "../adjustments.ts";
import { rowsOf, textOf } from "../rows.ts";
import { usageOn } from "../usage.ts";
import { bookingOn } from "./adjustments.ts";
import { Alive, locked, lockKey } from "./alive.ts";
import { connectPostgres, migratePostgres, type Postgres, saidBy } from "./connection.ts";
import { experimentsOn } from "./experiments.ts";
import { idempotencyOn } from "./idempotency.ts";
import { jobsOn } from "./jobs.ts";
import { knownOn } from "./known.ts";
import { POSTGRES_MIGRATIONS } from "./migrations.ts";
import { outboxOn } from "./outbox.ts";
import { openQueue, type Queue } from "./queue.ts";
import { readingOn } from "./reading.ts";
import * as statements from "./statements.ts";
import { transcriptsOn } from "./transcripts.ts";

export interface PostgresOptions {
  readonly databaseUrl: string;
  readonly instance: string;
}

/** Any number that nobody else locks. */
const ROLL_UP_KEY = "7063041298532";

/** @throws Error when the database cannot be reached or used */
export async function openPostgres({ databaseUrl, instance }: PostgresOptions) {
  const postgres = connectPostgres(databaseUrl);
  const alive = new Alive(databaseUrl, instance, systemClock);
  let queue: Queue | undefined;
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= Promise.all([alive.close(), queue?.close()]).then(() => postgres.pool.end());
    return closed;
  };
  try {
    await migratePostgres(postgres, POSTGRES_MIGRATIONS);
    await alive.hold();
    queue = await openQueue(postgres);
  } catch (error) {
    await close();
    throw new Error(`the database at DATABASE_URL cannot be used: ${saidBy(error)}`);
  }
  const reading = readingOn(postgres);
  return {
    ledger: ledgerOn(postgres, instance),
    jobs: jobsOn(postgres, queue, instance),
    outbox: outboxOn(postgres),
    idempotency: idempotencyOn(postgres, instance),
    known: knownOn(postgres),
    experiments: experimentsOn(postgres),
    usage: usageOn(reading),
    adjustments: adjustmentsOn(reading, bookingOn(postgres)),
    transcripts: transcriptsOn(postgres),
    close,
  };
}

function ledgerOn({ transaction }: Postgres, instance: string): LedgerStore {
  return {
    async append(batch) {
      const { intents, settlements, calls } = rowsOf(batch, instance);
      await transaction(async (client) => {
        if (intents.length > 0) await client.query(statements.INSERT_INTENTS, [textOf(intents)]);
        if (settlements.length > 0) await settle(client, textOf(settlements), settlements.length);
        if (calls.length > 0) await client.query(statements.INSERT_CALLS, [textOf(calls)]);
      });
    },
    async spent(filter, sinceMs) {
      const { rows } = await transaction((client) => client.query(statements.spentQuery(filter, sinceMs)));
      return BigInt(rows[0]?.spent) as PicoUsd;
    },
    async closeOrphans(nowMs) {
      const { rows } = await transaction((client) => client.query(statements.OPEN_INSTANCES, [instance]));
      let closed = 0;
      for (const { instance: other } of rows) {
        closed += await transaction(async (client) => {
          if (!(await locked(client, lockKey(other)))) return 0;
          return (await client.query(statements.CLOSE_ORPHANS, [nowMs, other])).rowCount ?? 0;
        });
      }
      return closed;
    },
    async rollUp(nowMs, keepSinceMs) {
      while (await transaction((client) => rollUpSome(client, hourOf(nowMs), hourOf(keepSinceMs))));
    },
    async keepCatalog(version, json, nowMs) {
      const sha256 = createHash("sha256").update(json).digest("hex");
      const { rows } = await transaction(async (client) => {
        await client.query(statements.KEEP_CATALOG, [version, sha256, json, nowMs]);
        return client.query(statements.CATALOG_SUM, [version]);
      });
      return rows[0]?.sha256 === sha256;
    },
  };
}

async function settle(client: PoolClient, rows: string, count: number): Promise<void> {
  const { rowCount } = await client.query(statements.SETTLE, [rows]);
  if (rowCount === count) return;
  // The others were booked before: by us, which stands, or as unknown, which gives way to what is known now.
  await client.query(statements.LOCK_UNKNOWN, [rows]);
  await client.query(statements.TAKE_OUT, [rows]);
  await client.query(statements.SETTLE_UNKNOWN, [rows]);
}

/** A part of the work, by one replica at a time. Returns whether there is more. */
async function rollUpSome(client: PoolClient, nowMs: number, keepSinceMs: number): Promise<boolean> {
  if (!(await locked(client, ROLL_UP_KEY))) return false;
  const { rows } = await client.query(statements.ROLL_UP, [nowMs]);
  const rolledCalls = await client.query(statements.ROLL_UP_CALLS, [nowMs]);
  const attempts = await client.query(statements.DELETE_ATTEMPTS, [keepSinceMs]);
  const calls = await client.query(statements.DELETE_CALLS, [keepSinceMs]);
  return [rows[0]?.count, rolledCalls.rows[0]?.count, attempts.rowCount, calls.rowCount].some(
    (count) => Number(count) === statements.CHUNK_ROWS,
  );
}
