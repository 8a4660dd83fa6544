/** What only a database in a folder can do: belong to one gateway, be read by others, die with its thread. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Worker } from "node:worker_threads";
import { expect, it, onTestFinished } from "vitest";
import { isPassing } from "../../src/store/sqlite/passing.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { jobOf, submit, takeOne } from "../support/jobs.ts";
import { batchOf, intentOf } from "../support/ledger.ts";
import { rowsOf, temporaryFolder } from "../support/stores.ts";

const WRITER = join(import.meta.dirname, "writer.ts");
const ROUNDS = 4;

it("makes its folder, and lets no second gateway into it", async () => {
  const dataDir = join(temporaryFolder(), "made", "on the way");
  const store = await open(dataDir);
  await expect(open(dataDir)).rejects.toThrow(
    `${dataDir} is used by another gateway; give this gateway another folder by LLMGATEWAY_DATA_DIR, ` +
      "or a PostgreSQL for all gateways by DATABASE_URL",
  );
  await store.close();
  await open(dataDir);
});

it("says which folder cannot hold it", async () => {
  const file = join(temporaryFolder(), "file");
  writeFileSync(file, "");
  await expect(open(file)).rejects.toThrow(`${file} cannot hold the database: `);
  const dataDir = temporaryFolder();
  mkdirSync(join(dataDir, "llmgateway.lock"));
  await expect(open(dataDir)).rejects.toThrow(`${dataDir} cannot hold the database: `);
});

it("says which file is no database, and lets go of the folder", async () => {
  const dataDir = temporaryFolder();
  const file = join(dataDir, "llmgateway.db");
  writeFileSync(file, "this is no database, however long one looks at it".repeat(100));
  await expect(open(dataDir)).rejects.toThrow(`the database ${file} cannot be used: file is not a database`);
  writeFileSync(file, "");
  await open(dataDir);
});

it("is written while others read it, who see what was there when they began", async () => {
  const dataDir = temporaryFolder();
  const { ledger } = await open(dataDir);
  await ledger.append(batchOf({ intents: [intentOf("a")] }));
  using reader = new DatabaseSync(join(dataDir, "llmgateway.db"), { readOnly: true });
  const count = reader.prepare("SELECT count(*) AS count FROM attempts");
  reader.exec("BEGIN");
  expect(count.get()).toEqual({ count: 1 });
  await ledger.append(batchOf({ intents: [intentOf("b")] }));
  expect(count.get()).toEqual({ count: 1 });
  reader.exec("COMMIT");
  expect(count.get()).toEqual({ count: 2 });
});

it("tells once that its thread is no more, and refuses what it cannot keep", async () => {
  const workers: Worker[] = [];
  const onWorker = (worker: Worker) => workers.push(worker);
  process.on("worker", onWorker);
  onTestFinished(() => void process.off("worker", onWorker));
  const told: string[] = [];
  const store = await open(temporaryFolder(), "here", (reason) => told.push(reason));
  const batch = batchOf({ intents: [intentOf("a")] });
  const [worker] = workers;
  const asked = Promise.allSettled([store.ledger.append(batch), store.ledger.spent({}, 0)]);
  await worker?.terminate();
  await asked;
  expect(told).toEqual(["the database is not written any more: its thread ended with 1"]);
  await expect(store.ledger.append(batch)).rejects.toThrow("its thread ended with 1");
  await store.close();
  expect(told).toHaveLength(1);
});

it("begins runs anew at once that a process which is gone left, and says that they were lost", async () => {
  const dataDir = temporaryFolder();
  const first = await open(dataDir, "first");
  await submit(first.jobs, jobOf("a", { startWithinMs: 1 }));
  const { run } = await takeOne(first.jobs);
  await first.jobs.park(run, "batch_123");
  await first.close();
  const { jobs } = await open(dataDir, "second");
  expect(await takeOne(jobs)).toMatchObject({
    job: { runs: 2, lostRuns: 1, costPicoUsd: 0n },
    parked: "batch_123",
  });
});

it("tells faults that may pass from those that do not", () => {
  const file = join(temporaryFolder(), "some.db");
  using writer = new DatabaseSync(file);
  using other = new DatabaseSync(file, { timeout: 0 });
  const failing = (sql: string) => {
    try {
      other.exec(sql);
    } catch (error) {
      return isPassing(error);
    }
    throw new Error(`${sql} went well`);
  };
  writer.exec("CREATE TABLE texts (text TEXT); BEGIN IMMEDIATE");
  expect(failing("INSERT INTO texts VALUES ('a')")).toBe(true);
  writer.exec("ROLLBACK");
  other.exec("PRAGMA max_page_count = 3");
  expect(failing("INSERT INTO texts VALUES (zeroblob(100000))")).toBe(true);
  expect(failing("INSERT INTO nothing VALUES (1)")).toBe(false);
  expect(isPassing(new Error("it is none of SQLite's"))).toBe(false);
});

it("tells nobody of a death that was wished for", async () => {
  const told: string[] = [];
  const store = await open(temporaryFolder(), "here", (reason) => told.push(reason));
  await store.close();
  expect(told).toEqual([]);
});

it("keeps every batch that it has acknowledged, whenever it is killed", async () => {
  const dataDir = temporaryFolder();
  const acknowledged: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const child = fork(WRITER, [dataDir, String(round)], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const exited = once(child, "exit");
    let batches = 0;
    child.on("message", (ids: string[]) => {
      acknowledged.push(...ids);
      // At another moment each round, in the midst of writing.
      if (++batches === 20 + 7 * round) child.kill("SIGKILL");
    });
    await exited;
    expect(child.signalCode).toBe("SIGKILL");
    // The lock went with the process.
    const store = await open(dataDir, `after ${round}`);
    const kept = rowsOf(
      join(dataDir, "llmgateway.db"),
      "SELECT a.call_id FROM attempts AS a JOIN calls USING (call_id) WHERE state = 'settled'",
    );
    const ids = new Set(kept.map(({ call_id }) => call_id));
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
    // A batch is there as a whole or not at all.
    expect(ids.size % 10).toBe(0);
    expect(rowsOf(join(dataDir, "llmgateway.db"), "PRAGMA integrity_check")).toEqual([
      { integrity_check: "ok" },
    ]);
    await store.close();
  }
  expect(acknowledged.length).toBeGreaterThan(ROUNDS * 200);
});

async function open(dataDir: string, instance = "here", onDeath = (_: string) => {}): Promise<Store> {
  const store = await openStore({ dataDir, instance, onDeath });
  onTestFinished(() => store.close());
  return store;
}

it("refuses what no thread can be sent, and answers everybody else as before", async () => {
  const store = await openStore({ dataDir: temporaryFolder(), instance: "here", onDeath: () => {} });
  onTestFinished(() => store.close());
  const owner = { tenant: "internal", principal: "anonymous", leave: () => {} };
  await expect(store.jobs.get("some job", owner)).rejects.toThrow("could not be cloned");
  expect(await store.jobs.take(1, 0)).toEqual([]);
  expect(await store.jobs.counts(0)).toMatchObject({ stuck: 0 });
});
