/**
 * Puts a year of traffic into a database by the engine's own quickest way, and sums it up day by day. What it sums is
 * what the roll-up would have: the test holds both against each other.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Client } from "pg";
import { ATTEMPT_SUMS, bookSums, CALL_SUMS, DAY_MS, GRAINS, type Grain } from "../../src/store/hours.ts";
import type { Where } from "../support/stores.ts";
import { ATTEMPT_FIELDS, CALL_FIELDS, NOW_MS, type Row, type Traffic, YEAR_BEGIN_MS } from "./year.ts";

interface Bulk {
  write(table: "attempts" | "calls", rows: readonly Row[]): Promise<void>;
  run(sql: string): Promise<void>;
  readonly tagsKey: string;
  close(): Promise<void>;
}

const FIELDS = { attempts: Object.keys(ATTEMPT_FIELDS), calls: Object.keys(CALL_FIELDS) };
/** Of each kind in one go. */
const ROWS = 100_000;

/** Into tables that are there. */
export async function fill(where: Where, traffic: Iterable<Traffic>): Promise<void> {
  const bulk = await open(where);
  const waiting: { attempts: Row[]; calls: Row[] } = { attempts: [], calls: [] };
  const flush = async (least: number) => {
    for (const table of ["attempts", "calls"] as const) {
      if (waiting[table].length < least) continue;
      await bulk.write(table, waiting[table]);
      waiting[table] = [];
    }
  };
  for (const { attempts, calls } of traffic) {
    for (const row of attempts) waiting.attempts.push(row);
    for (const row of calls) waiting.calls.push(row);
    await flush(ROWS);
  }
  await flush(1);
  await bulk.close();
}

/** What is marked as summed. */
export async function sumUp(where: Where): Promise<void> {
  const bulk = await open(where);
  for (let dayMs = YEAR_BEGIN_MS; dayMs < NOW_MS; dayMs += DAY_MS) {
    const begun = `WHERE rolled_up = true AND started_at_ms >= ${dayMs} AND started_at_ms < ${dayMs + DAY_MS}`;
    for (const grain of Object.keys(GRAINS) as Grain[]) {
      await bulk.run(bookSums(grain, ATTEMPT_SUMS, "", `attempts ${begun}`, bulk.tagsKey));
      await bulk.run(bookSums(grain, CALL_SUMS, "", `calls ${begun}`, bulk.tagsKey));
    }
  }
  await bulk.run("ANALYZE");
  await bulk.close();
}

function open({ databaseUrl, dataDir }: Where): Promise<Bulk> {
  return databaseUrl === undefined ? onSqlite(join(dataDir, "llmgateway.db")) : onPostgres(databaseUrl);
}

async function onSqlite(file: string): Promise<Bulk> {
  const db = new DatabaseSync(file);
  db.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000");
  const inserts = Object.fromEntries(
    Object.entries(FIELDS).map(([table, fields]) => [
      table,
      db.prepare(`INSERT INTO ${table} (${fields.join()}) VALUES (${fields.map(() => "?").join()})`),
    ]),
  );
  return {
    async write(table, rows) {
      db.exec("BEGIN");
      for (const row of rows) inserts[table]?.run(...row);
      db.exec("COMMIT");
    },
    run: async (sql) => db.exec(sql),
    tagsKey: "tags",
    close: async () => db.close(),
  };
}

/** By a file that the server reads, for which it must be here. */
async function onPostgres(databaseUrl: string): Promise<Bulk> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query("SET synchronous_commit = off");
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-year-"));
  chmodSync(folder, 0o755);
  const file = join(folder, "rows");
  // The next are made while these are read.
  let writing: Promise<unknown> = Promise.resolve();
  let nth = 0;
  return {
    async write(table, rows) {
      const path = `${file}-${nth++ % 2}`;
      await writing;
      writeFileSync(path, rows.map(lineOf).join(""));
      writing = client.query(`COPY ${table} (${FIELDS[table].join()}) FROM '${path}'`);
    },
    async run(sql) {
      await writing;
      await client.query(sql);
    },
    tagsKey: "md5(tags::text)",
    async close() {
      await writing;
      await client.end();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Of PostgreSQL's text format. Nothing in a row needs to be escaped there. */
function lineOf(row: Row): string {
  let line = "";
  for (const value of row) line += `${line && "\t"}${value ?? "\\N"}`;
  return `${line}\n`;
}
