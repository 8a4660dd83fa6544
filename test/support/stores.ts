/** Databases of both engines, each with a way to look into it that is not the store's own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Client } from "pg";
import { onTestFinished } from "vitest";
import { openStore, type Store } from "../../src/store/store.ts";
import { hasPostgres, type PostgresServer, startPostgres } from "./postgres.ts";

export interface Base {
  /** As `openStore` takes it. */
  readonly where: Where;
  /** What is in it. Whole numbers are bigint, JSON is text. */
  rows(sql: string): Promise<Record<string, unknown>[]>;
  drop(): Promise<void>;
}

export interface Place extends Pick<Base, "where" | "rows"> {
  /** A store upon it, as a gateway of that name opens it. Closed with the test. */
  open(instance?: string): Promise<Store>;
}

export interface Where {
  readonly databaseUrl?: string;
  readonly dataDir: string;
}

export interface Engine {
  readonly name: string;
  /** An empty database, gone with the test. */
  place(): Promise<Place>;
  /** One that stays until it is dropped. */
  base(): Promise<Base>;
  stop(): Promise<void>;
}

/** Those that are here. */
export function engines(what: string): Engine[] {
  return [sqlite, ...(hasPostgres(`${what} on PostgreSQL`) ? [postgres()] : [])];
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-store-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const sqlite: Engine = {
  name: "SQLite",
  place: async () => placeOf(folderOf(temporaryFolder())),
  base: async () => folderOf(mkdtempSync(join(tmpdir(), "llmgateway-store-"))),
  stop: async () => {},
};

function folderOf(dataDir: string): Base {
  return {
    where: { dataDir },
    rows: async (sql) => rowsOf(join(dataDir, "llmgateway.db"), sql),
    drop: async () => rmSync(dataDir, { recursive: true, force: true }),
  };
}

function placeOf({ where, rows }: Base): Place {
  return { where, rows, open: (instance = "here") => open(where, instance) };
}

/** Read as an operator would, beside the gateway that writes. */
export function rowsOf(file: string, sql: string): Record<string, unknown>[] {
  const db = new DatabaseSync(file, { readOnly: true, readBigInts: true });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
}

function postgres(): Engine {
  let server: Promise<PostgresServer> | undefined;
  const base = async (): Promise<Base> => {
    server ??= startPostgres();
    const databaseUrl = await (await server).createDatabase();
    // It goes with its server.
    return {
      where: { databaseUrl, dataDir: "" },
      rows: (sql) => query(databaseUrl, sql),
      drop: async () => {},
    };
  };
  return {
    name: "PostgreSQL",
    place: async () => placeOf(await base()),
    base,
    stop: async () => (await server)?.stop(),
  };
}

async function query(connectionString: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    return (await client.query({ text: sql, types: { getTypeParser } })).rows;
  } finally {
    await client.end();
  }
}

const WHOLE_NUMBERS = [20, 21, 23, 1700];

function getTypeParser(type: number): (text: string) => unknown {
  if (WHOLE_NUMBERS.includes(type)) return BigInt;
  return (text) => (text === "t" ? 1n : text === "f" ? 0n : text);
}

async function open(where: Where, instance: string): Promise<Store> {
  const store = await openStore({ ...where, instance, onDeath: () => {} });
  onTestFinished(() => store.close());
  return store;
}
