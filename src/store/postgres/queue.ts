/**
 * A message for every job that waits or runs, kept by pg-boss in a schema of its own: who may run a job, when, and
 * whether it still does. It knows only the ids of jobs, and works within its caller's transactions.
 */

import type { PoolClient } from "pg";
import { PgBoss } from "pg-boss";
import { LEASE_MS } from "../../core/job-store.ts";
import type { Postgres } from "./connection.ts";

export interface Message {
  /** A UUID. */
  readonly messageId: string;
  readonly jobId: string;
}

export interface NewMessage extends Message {
  readonly priority: number;
  readonly dueAtMs: number;
}

export interface Queue {
  send(client: PoolClient, messages: readonly NewMessage[]): Promise<void>;
  /** Those that are due by the database's clock; nobody else gets them while they are kept. */
  claim(client: PoolClient, limit: number): Promise<Message[]>;
  /** For another LEASE_MS. */
  keep(client: PoolClient, messageIds: readonly string[]): Promise<void>;
  /** To be claimed again, by its old place among those of its priority. */
  giveBack(client: PoolClient, messageId: string, dueAtMs: number): Promise<void>;
  /** To be claimed at once, where nobody has them. */
  hasten(client: PoolClient, messageIds: readonly string[]): Promise<void>;
  drop(client: PoolClient, messageIds: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export const QUEUE_SCHEMA = "llmgateway_queue";
export const QUEUE_NAME = "jobs";

/** Any number that nobody else locks. */
const START_KEY = "7063041298534";
/** How often it is looked for messages that nobody keeps any more, by one of the replicas. */
const LOOK_SECONDS = 2;
/** How long a message may wait. */
const RETENTION_SECONDS = 10 * 365 * 86_400;
/** As long as pg-boss lets one be claimed. */
const LONGEST_SECONDS = 86_399;
/** So many messages are inserted at once. */
const CHUNK_ROWS = 5_000;

/** As pg-boss's `update` does, which takes one at a time: they may be thousands, again and again. */
const PUT_OFF = `
  UPDATE ${QUEUE_SCHEMA}.job SET start_after = ${QUEUE_SCHEMA}.job_now() + interval '${LEASE_MS} ms'
  WHERE name = $1 AND id = ANY($2::uuid[]) AND state < 'active'`;

const HASTEN = `
  UPDATE ${QUEUE_SCHEMA}.job SET start_after = least(start_after, ${QUEUE_SCHEMA}.job_now())
  WHERE name = $1 AND id = ANY($2::uuid[]) AND state < 'active'`;

/** @throws Error when its tables cannot be made or used */
export async function openQueue({ pool, transaction }: Postgres): Promise<Queue> {
  const boss = new PgBoss({
    db: { executeSql: (text, values) => pool.query(text, values) },
    schema: QUEUE_SCHEMA,
    schedule: false,
    registerInstance: false,
    openTelemetry: { enabled: false },
    superviseIntervalSeconds: LOOK_SECONDS,
    monitorIntervalSeconds: LOOK_SECONDS,
  });
  // What its upkeep failed by, the next round makes good. What fails for a caller is thrown.
  boss.on("error", () => {});
  const close = () => boss.stop({ graceful: false, close: false });
  try {
    await transaction(async (client) => {
      // Replicas that make its schema at the same time are in each other's way.
      await client.query("SELECT pg_advisory_xact_lock($1)", [START_KEY]);
      await boss.start();
      await boss.createQueue(QUEUE_NAME, {
        heartbeatSeconds: LEASE_MS / 1_000,
        expireInSeconds: LONGEST_SECONDS,
        retentionSeconds: RETENTION_SECONDS,
        // How often a job may be run is for others to say.
        retryLimit: 2 ** 31 - 1,
      });
    });
  } catch (error) {
    await close();
    throw error;
  }
  return { ...operationsOf(boss), close };
}

function operationsOf(boss: PgBoss): Omit<Queue, "close"> {
  return {
    async send(client, messages) {
      for (let start = 0; start < messages.length; start += CHUNK_ROWS) {
        const rows = messages.slice(start, start + CHUNK_ROWS).map(rowOf);
        await boss.insert(QUEUE_NAME, rows, within(client));
      }
    },
    async claim(client, limit) {
      const claimed = await boss.fetch<{ jobId: string }>(QUEUE_NAME, {
        batchSize: limit,
        ...within(client),
      });
      return claimed.map(({ id, data }) => ({ messageId: id, jobId: data.jobId }));
    },
    async keep(client, messageIds) {
      // Which its declarations leave out.
      const touched: { readonly affected?: number } = await boss.touch(
        QUEUE_NAME,
        [...messageIds],
        within(client),
      );
      if (touched.affected === messageIds.length) return;
      // Some lay too long, as when the database was away or a day is over, but nobody claimed them: nobody shall for a while.
      await client.query(PUT_OFF, [QUEUE_NAME, messageIds]);
    },
    async giveBack(client, messageId, dueAtMs) {
      await boss.fail(QUEUE_NAME, messageId, null, within(client));
      const startAfter = new Date(dueAtMs);
      await boss.update(QUEUE_NAME, undefined, { id: messageId, startAfter, ...within(client) });
    },
    async hasten(client, messageIds) {
      await client.query(HASTEN, [QUEUE_NAME, messageIds]);
    },
    async drop(client, messageIds) {
      await boss.deleteJob(QUEUE_NAME, [...messageIds], within(client));
    },
  };
}

function rowOf({ messageId, jobId, priority, dueAtMs }: NewMessage) {
  return { id: messageId, data: { jobId }, priority, startAfter: new Date(dueAtMs) };
}

/** Has pg-boss speak within a transaction. */
function within(client: PoolClient) {
  return { db: { executeSql: (text: string, values?: unknown[]) => client.query(text, values) } };
}
