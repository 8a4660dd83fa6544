/**
 * Opens what outlives the process: PostgreSQL where there is a URL for it, else SQLite in a folder. What is kept
 * is for the ports to say, how for the engines.
 */
import type { LedgerStore } from "../core/ledger.ts";
import { openPostgres } from "./postgres/engine.ts";
import { openSqlite } from "./sqlite/engine.ts";

export interface Store {
  readonly ledger: LedgerStore;
  /** What was asked of it before is still done. */
  close(): Promise<void>;
}

export interface StoreOptions {
  /** PostgreSQL's; SQLite when absent. */
  readonly databaseUrl?: string | undefined;
  /** Folder of the SQLite database; made when it is not there. */
  readonly dataDir: string;
  /** This process, by a name that none had before it. */
  readonly instance: string;
  /** Told once when nothing can be kept any more until the process starts anew. */
  onDeath(reason: string): void;
}

/** @throws Error that says why the database cannot be used, and what to do */
export function openStore(options: StoreOptions): Promise<Store> {
  const { databaseUrl } = options;
  return databaseUrl ? openPostgres({ ...options, databaseUrl }) : openSqlite(options);
}
