/**
 * Opens what outlives the process: PostgreSQL where there is a URL for it, else SQLite in a folder. What is kept
 * is for the ports to say, how for the engines.
 */
import type { AdjustmentStore } from "../core/adjustment-store.ts";
import type { ExperimentStore } from "../core/experiment-store.ts";
import type { IdempotencyStore } from "../core/idempotency-store.ts";
import type { JobStore } from "../core/job-store.ts";
import type { KnownStore } from "../core/known-store.ts";
import type { LedgerStore } from "../core/ledger.ts";
import { messageOf } from "../core/message.ts";
import type { Outbox } from "../core/outbox.ts";
import type { TranscriptStore } from "../core/transcript-store.ts";
import type { UsageStore } from "../core/usage-store.ts";
import { openSqlite, type SqliteOptions } from "./sqlite/engine.ts";

export interface Store {
  readonly ledger: LedgerStore;
  readonly jobs: JobStore;
  readonly outbox: Outbox;
  readonly idempotency: IdempotencyStore;
  readonly known: KnownStore;
  readonly experiments: ExperimentStore;
  readonly transcripts: TranscriptStore;
  readonly usage: UsageStore;
  readonly adjustments: AdjustmentStore;
  /** What was asked of it before is still done. */
  close(): Promise<void>;
}

export interface StoreOptions extends SqliteOptions {
  /** PostgreSQL's; SQLite when absent. */
  readonly databaseUrl?: string | undefined;
  /** This process, by a name that none had before it. */
  readonly instance: string;
}

/** Why the database cannot be used, and what to do, for the operator. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

/** @throws StoreError */
export async function openStore(options: StoreOptions): Promise<Store> {
  try {
    return await openEngine(options);
  } catch (error) {
    throw new StoreError(messageOf(error), { cause: error });
  }
}

async function openEngine(options: StoreOptions): Promise<Store> {
  const { databaseUrl } = options;
  if (!databaseUrl) return openSqlite(options);
  // Loaded only where it is used.
  const { openPostgres } = await import("./postgres/engine.ts");
  return openPostgres({ ...options, databaseUrl });
}
