/** A gateway's ledger on SQLite, as anybody can read it who knows its tables. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Columns, type Rows, rowsOfTables } from "./rows.ts";

/** Of the one database in the folder; undefined when there is none. */
export function readLedger(folder: string): Rows | undefined {
  return withDatabase(folder, (database) => {
    const all = (table: string): Columns[] => database.prepare(`select * from ${table}`).all();
    return rowsOfTables(all("attempts"), all("calls"));
  });
}

/** By SQLite's own check of every page and index. */
export function ledgerIsSound(folder: string): boolean {
  const told = withDatabase(folder, (database) => database.prepare("pragma integrity_check").get());
  return told?.integrity_check === "ok";
}

function withDatabase<Result>(folder: string, read: (database: DatabaseSync) => Result): Result | undefined {
  const [file] = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".db")) : [];
  if (file === undefined) return undefined;
  const database = new DatabaseSync(join(folder, file), { readOnly: true, readBigInts: true });
  try {
    return read(database);
  } finally {
    database.close();
  }
}
