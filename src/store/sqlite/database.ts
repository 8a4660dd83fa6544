/**
 * The one connection to the SQLite database: its transactions, and whether they wait for the disk. It knows no
 * tables.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";

/** So few at once that others wait for some milliseconds only. */
export const CHUNK_ROWS = 1_000;
/** SQLite's sums throw beyond 64 bits, so amounts are added in two parts; the upper counts thousandths of a dollar. */
export const SPLIT = 1_000_000_000n;
/** How long to wait for others who use the file. */
export const BUSY_TIMEOUT_MS = 5_000;
const FORGET_WAIT_MS = 200;

export class Database {
  private readonly db: DatabaseSync;
  private readonly begin: StatementSync;
  private readonly commit: StatementSync;
  /** Whether a commit waits for the disk. */
  private synced = true;

  constructor(db: DatabaseSync) {
    this.db = db;
    this.begin = db.prepare("BEGIN IMMEDIATE");
    this.commit = db.prepare("COMMIT");
  }

  prepare(sql: string): StatementSync {
    return this.db.prepare(sql);
  }

  /**
   * All of it or nothing.
   *
   * @param durable whether it is to outlast the system too
   */
  write<T>(durable: boolean, work: () => T): T {
    this.sync(durable);
    this.begin.run();
    try {
      const result = work();
      this.commit.run();
      return result;
    } catch (error) {
      // Some errors have ended it already.
      if (this.db.isTransaction) this.db.exec("ROLLBACK");
      throw error;
    }
  }

  /** What is deleted in it is overwritten where it was in the file. */
  overwriting<T>(work: () => T): T {
    this.db.exec("PRAGMA secure_delete = ON");
    try {
      return work();
    } finally {
      this.db.exec("PRAGMA secure_delete = OFF");
    }
  }

  /** Has nothing in the log of what was written, unless somebody reads it just then. */
  forgetLog(): void {
    // Others wait meanwhile.
    this.db.exec(`PRAGMA busy_timeout = ${FORGET_WAIT_MS}`);
    this.db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    this.db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  }

  /** To wait for the disk is most of what a small commit costs. All that was written before is safe then, too. */
  private sync(durable: boolean): void {
    if (durable === this.synced) return;
    this.db.exec(`PRAGMA synchronous = ${durable ? "FULL" : "NORMAL"}`);
    this.synced = durable;
  }
}

/** A row of a table, its values in the order of these columns. */
export function insert(table: string, columns: readonly string[]): string {
  return `INSERT INTO ${table} (${columns.join()}) VALUES (${columns.map(() => "?").join()})`;
}
