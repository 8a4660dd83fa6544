/** A database of any age becomes today's, with what is in it; one from the future is left alone. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, it } from "vitest";
import { connectPostgres, migratePostgres } from "../../src/store/postgres/connection.ts";
import { POSTGRES_MIGRATIONS } from "../../src/store/postgres/migrations.ts";
import { migrateSqlite } from "../../src/store/sqlite/folder.ts";
import { SQLITE_MIGRATIONS } from "../../src/store/sqlite/migrations.ts";
import type { Migrations } from "../../src/store/version.ts";
import { batchOf, intentOf } from "../support/ledger.ts";
import { engines, type Where } from "../support/stores.ts";
import { inOrder } from "../usage/brute.ts";

/** A version that is yet to come. */
const NEXT = "ALTER TABLE calls ADD COLUMN later TEXT";
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const VERSIONS = "SELECT version FROM llmgateway_migrations ORDER BY version";

it("the engines are of one age", () => {
  expect(SQLITE_MIGRATIONS.length).toBe(POSTGRES_MIGRATIONS.length);
});

describe.each(engines("migration"))("a database on $name", (engine) => {
  afterAll(() => engine.stop());
  const all = engine.name === "SQLite" ? SQLITE_MIGRATIONS : POSTGRES_MIGRATIONS;

  it.each(all.map((_, version) => version))("of version %d becomes today's, and works", async (version) => {
    const place = await engine.place();
    await migrate(place.where, all.slice(0, version));
    const { ledger } = await place.open();
    await ledger.append(batchOf({ intents: [intentOf("a")] }));
    expect(await ledger.spent({}, 0)).toBe(900n);
    expect(await place.rows(VERSIONS)).toEqual(all.map((_, index) => ({ version: BigInt(index + 1) })));
  });

  it("keeps what is in it on its way to a later version", async () => {
    const place = await engine.place();
    const store = await place.open();
    await store.ledger.append(batchOf({ intents: [intentOf("a")] }));
    await store.close();
    await migrate(place.where, [...all, NEXT]);
    expect(await place.rows("SELECT call_id FROM attempts")).toEqual([{ call_id: "a" }]);
    expect(await place.rows("SELECT later FROM calls")).toEqual([]);
  });

  it("of before there were sums by the day has them, and calls that are in none yet are counted", async () => {
    const place = await engine.place();
    await migrate(place.where, all.slice(0, 2));
    const hour = (at: number, cost: number) =>
      `INSERT INTO spend_hours VALUES (${at * HOUR}, 't', 'p', 'openai', 'm', 'chat', '{}', 2, 1, 1, 0, 0, 0, 0, 9, 0, 0, 5, 0, ${cost}, 7)`;
    const call = `INSERT INTO calls VALUES ('c', 'r', ${DAY + 1}, ${DAY + 2}, 't', 'p', '{}', 'Chat', 'chat', 'rest', 'openai',
      'm', 'explicit', 'failed', 'cut', '', 1, 'measured', '1', NULL, 5, 0)`;
    for (const sql of [hour(24, 100), hour(25, 20), hour(48, 3), call]) await execute(place.where, sql);
    const { ledger, usage } = await place.open();
    const told = () =>
      usage.usage({ sinceMs: 0, untilMs: 9 * DAY, groupBy: ["day", "route"], filter: { tenant: "t" } });
    const right = [
      {
        group: ["1970-01-02", ""],
        attempts: 4,
        failed: 2,
        costPicoUsd: 120n,
        unknownPicoUsd: 14n,
        requests: 1,
        errors: 1,
      },
      { group: ["1970-01-03", ""], attempts: 2, failed: 1, costPicoUsd: 3n, unknownPicoUsd: 7n, requests: 0 },
    ];
    expect(inOrder(await told())).toMatchObject(right);
    await ledger.rollUp(9 * DAY, 9 * DAY);
    expect(inOrder(await told())).toMatchObject(right);
    expect(await ledger.spent({}, 0)).toBe(123n + 21n);
  });

  it("is refused when it is newer than the program, and stays as it is", async () => {
    const place = await engine.place();
    await migrate(place.where, [...all, NEXT]);
    const before = await place.rows(VERSIONS);
    await expect(place.open()).rejects.toThrow(
      `has version ${all.length + 1}, and this llmgateway knows versions up to ${all.length}; start the newer`,
    );
    expect(await place.rows(VERSIONS)).toEqual(before);
    // The refusal lets go of it.
    await migrate(place.where, [...all, NEXT]);
  });

  it("is as before when a migration fails", async () => {
    const place = await engine.place();
    await migrate(place.where, all);
    const wrong = `${NEXT}; SELECT nonsense FROM nowhere`;
    await expect(migrate(place.where, [...all, wrong])).rejects.toThrow("nowhere");
    expect(await place.rows(VERSIONS)).toHaveLength(all.length);
    await migrate(place.where, [...all, NEXT]);
  });
});

async function execute({ databaseUrl, dataDir }: Where, sql: string): Promise<void> {
  if (databaseUrl === undefined) {
    using db = new DatabaseSync(join(dataDir, "llmgateway.db"));
    return db.exec(sql);
  }
  const { pool } = connectPostgres(databaseUrl);
  await pool.query(sql);
  await pool.end();
}

async function migrate({ databaseUrl, dataDir }: Where, migrations: Migrations): Promise<void> {
  if (databaseUrl === undefined) {
    using db = new DatabaseSync(join(dataDir, "llmgateway.db"));
    return migrateSqlite(db, migrations);
  }
  const postgres = connectPostgres(databaseUrl);
  try {
    await migratePostgres(postgres, migrations);
  } finally {
    await postgres.pool.end();
  }
}
