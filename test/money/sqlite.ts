/** A gateway's ledger on SQLite, as anybody can read it who knows its tables. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Columns, type Rows, rowsOfTables } from "./rows.ts";

/** Of a gateway whose `data_dir` it is. */
export function readLedger(folder: string): Rows {
  const all = (table: string) => querySqlite(folder, `select * from ${table}`);
  return rowsOfTables(all("attempts"), all("calls"));
}

export function querySqlite(folder: string, text: string): Columns[] {
  return withDatabase(folder, (database) => database.prepare(text).all());
}

/** By SQLite's own check of every page and index. */
export function ledgerIsSound(folder: string): boolean {
  const told = withDatabase(folder, (database) => database.prepare("pragma integrity_check").get());
  return told?.integrity_check === "ok";
}

function withDatabase<Result>(folder: string, read: (database: DatabaseSync) => Result): Result {
  const database = new DatabaseSync(join(folder, FILE), { readOnly: true, readBigInts: true });
  try {
    return read(database);
  } finally {
    database.close();
  }
}

const FILE = "llmgateway.db";
