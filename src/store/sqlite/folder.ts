/**
 * The folder of a SQLite database: lets one gateway in, opens the database and brings it to its version. What is in
 * its tables it does not know.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { messageOf } from "../../core/message.ts";
import { type Migrations, stepsFrom } from "../version.ts";
import { BUSY_TIMEOUT_MS } from "./database.ts";
import { SQLITE_MIGRATIONS } from "./migrations.ts";

export interface Folder {
  readonly db: DatabaseSync;
  close(): void;
}

/** @throws Error that names the folder and says what to do */
export function openFolder(dataDir: string): Folder {
  const lock = lockFolder(dataDir);
  try {
    const db = openFile(join(dataDir, "llmgateway.db"));
    const close = () => {
      db.close();
      lock.close();
    };
    return { db, close };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** @throws Error when the database is newer than the program */
export function migrateSqlite(db: DatabaseSync, migrations: Migrations): void {
  db.exec(
    "CREATE TABLE IF NOT EXISTS llmgateway_migrations (version INTEGER PRIMARY KEY, applied_at_ms INTEGER NOT NULL) STRICT",
  );
  const newest = db.prepare("SELECT coalesce(max(version), 0) AS version FROM llmgateway_migrations").get();
  for (const { version, sql } of stepsFrom(Number(newest?.version), migrations)) {
    db.exec(`BEGIN; ${sql}; INSERT INTO llmgateway_migrations VALUES (${version}, ${Date.now()}); COMMIT`);
  }
}

const ADVICE =
  "give this gateway another folder by LLMGATEWAY_DATA_DIR, or a PostgreSQL for all gateways by DATABASE_URL";

/** Held by the operating system until the process ends, however it ends. Others may read the database meanwhile. */
function lockFolder(dataDir: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    mkdirSync(dataDir, { recursive: true });
    lock = new DatabaseSync(join(dataDir, "llmgateway.lock"), { timeout: 0 });
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock?.close();
    const busy = error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
    const reason = busy ? "is used by another gateway" : `cannot hold the database: ${messageOf(error)}`;
    throw new Error(`${dataDir} ${reason}; ${ADVICE}`);
  }
}

const SQLITE_BUSY = 5;

function openFile(file: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    migrateSqlite(db, SQLITE_MIGRATIONS);
    return db;
  } catch (error) {
    db?.close();
    throw new Error(`the database ${file} cannot be used: ${messageOf(error)}`);
  }
}
