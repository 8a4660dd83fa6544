/** What only a shared database can do: serve replicas that start at once, lose connections, and watch each other. */
import { setTimeout as wait } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { connectPostgres, MIGRATIONS_KEY, migratePostgres } from "../../src/store/postgres/connection.ts";
import { POSTGRES_MIGRATIONS } from "../../src/store/postgres/migrations.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { batchOf, callRowOf, intentOf, settlementOf } from "../support/ledger.ts";
import { hasPostgres, type PostgresServer, startPostgres } from "../support/postgres.ts";

const NOW = 2_000_000;
const SOON = { timeout: 5_000, interval: 10 };

it("says why it cannot be used, and keeps the password to itself", async () => {
  const refused = open("postgres://user:hunter2-hunter2@127.0.0.1:1/ledger", "a");
  await expect(refused).rejects.toThrow("the database at DATABASE_URL cannot be used: connect ECONNREFUSED");
  await expect(refused).rejects.not.toThrow("hunter2");
});

describe.runIf(hasPostgres("the loss of connections"))("replicas on one PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  it("may start at once", async () => {
    const url = await server.createDatabase();
    const stores = await Promise.all(["a", "b", "c", "d"].map((name) => open(url, name)));
    await Promise.all(
      stores.map(({ ledger }, index) => ledger.append(batchOf({ intents: [intentOf(`${index}`)] }))),
    );
    expect(await stores[0]?.ledger.spent({}, 0)).toBe(4n * 900n);
  });

  it("wait for one that migrates for as long as it takes", async () => {
    const url = await server.createDatabase();
    const migrating = new Client({ connectionString: url });
    await migrating.connect();
    onTestFinished(() => migrating.end());
    const { pool, transaction } = connectPostgres(url);
    onTestFinished(() => pool.end());
    // In place of 10 s, on the one connection that there is until another is needed.
    await pool.query("SET statement_timeout = 50");
    await migrating.query("BEGIN");
    await migrating.query("SELECT pg_advisory_xact_lock($1)", [MIGRATIONS_KEY]);
    const migrated = migratePostgres({ pool, transaction }, []);
    const waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    await vi.waitFor(async () => expect((await migrating.query(waiting)).rowCount).toBe(1), SOON);
    await migrating.query("SELECT pg_sleep(0.2)");
    await migrating.query("COMMIT");
    await migrated;
  });

  it("write on while a migration waits for who reads their tables", async () => {
    const url = await server.createDatabase();
    const { ledger } = await open(url, "old");
    const reader = new Client({ connectionString: url });
    await reader.connect();
    onTestFinished(() => reader.end());
    const postgres = connectPostgres(url);
    onTestFinished(() => postgres.pool.end());
    await reader.query("BEGIN");
    await reader.query("SELECT count(*) FROM calls");
    const migrated = migratePostgres(postgres, [
      ...POSTGRES_MIGRATIONS,
      "ALTER TABLE calls ADD COLUMN later text",
    ]);
    const waiting = "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted";
    await vi.waitFor(async () => expect((await reader.query(waiting)).rowCount).toBe(1), SOON);
    await ledger.append(batchOf({ calls: [callRowOf("1")] }));
    await reader.query("COMMIT");
    await migrated;
    await ledger.append(batchOf({ calls: [callRowOf("2")] }));
    const { rows } = await reader.query("SELECT call_id FROM calls WHERE later IS NULL ORDER BY call_id");
    expect(rows).toEqual([{ call_id: "1" }, { call_id: "2" }]);
  });

  it("book what another left open once it is gone, not before, and one of them does", async () => {
    const url = await server.createDatabase();
    const [a, b, c] = [await open(url, "a"), await open(url, "b"), await open(url, "c")];
    await a.ledger.append(batchOf({ intents: [intentOf("1"), intentOf("2")] }));
    expect(await b.ledger.closeOrphans(NOW)).toBe(0);
    await a.close();
    const booked = await Promise.all([b.ledger.closeOrphans(NOW), c.ledger.closeOrphans(NOW)]);
    expect(booked.toSorted()).toEqual([0, 2]);
  });

  it("do not start by the name of one that lives", async () => {
    const url = await server.createDatabase();
    await open(url, "a");
    await expect(open(url, "a")).rejects.toThrow("another gateway bears this instance's name");
  });

  it("write on when connections are lost, and are known to live again", async () => {
    const url = await server.createDatabase();
    const [a, b] = [await open(url, "a"), await open(url, "b")];
    await a.ledger.append(batchOf({ intents: [intentOf("1")] }));
    const batch = batchOf({
      settlements: [settlementOf("1")],
      intents: [intentOf("2")],
      calls: [callRowOf("1")],
    });
    for (let times = 0; times < 5; times++) {
      const appended = a.ledger.append(batch);
      await server.dropConnections();
      await appended;
    }
    expect(await b.ledger.spent({}, 0)).toBe(500n + 900n);
    await holdsLocks(url, 2);
    expect(await b.ledger.closeOrphans(NOW)).toBe(0);
  });

  it("may all settle what was booked as unknown, at once with the sums", async () => {
    const url = await server.createDatabase();
    const gone = await open(url, "gone");
    const ids = Array.from({ length: 200 }, (_, index) => `${index}`);
    await gone.ledger.append(batchOf({ intents: ids.map((id) => intentOf(id)) }));
    await gone.close();
    const [a, b] = [await open(url, "a"), await open(url, "b")];
    await a.ledger.closeOrphans(NOW);
    const settled = (some: string[]) => batchOf({ settlements: some.map((id) => settlementOf(id)) });
    await Promise.all([
      a.ledger.rollUp(4_000_000, 0),
      b.ledger.append(settled(ids)),
      a.ledger.append(settled(ids.toReversed())),
      b.ledger.rollUp(4_000_000, 0),
    ]);
    expect(await a.ledger.spent({}, 0)).toBe(200n * 500n);
    await a.ledger.rollUp(4_000_000, 4_000_000);
    expect(await a.ledger.spent({}, 0)).toBe(200n * 500n);
  });
});

/** Within the time in which a lost one is taken anew. */
async function holdsLocks(connectionString: string, count: number): Promise<void> {
  const client = new Client({ connectionString });
  await client.connect();
  onTestFinished(() => client.end());
  const query = "SELECT count(*)::integer AS held FROM pg_locks WHERE locktype = 'advisory' AND granted";
  for (let tries = 0; tries < 100; tries++) {
    if ((await client.query(query)).rows[0].held === count) return;
    await wait(100);
  }
  throw new Error("the locks are not held");
}

async function open(databaseUrl: string, instance: string): Promise<Store> {
  const store = await openStore({ databaseUrl, dataDir: "", instance, onDeath: () => {} });
  onTestFinished(() => store.close());
  return store;
}
