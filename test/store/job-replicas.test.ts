/** What only a shared database can do with jobs: have replicas run them, though one is killed and the database restarts. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { LEASE_MS, RENEW_MS } from "../../src/core/job-store.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { batchOf, endingOf, OWNER, runOf } from "../support/jobs.ts";
import { hasPostgres, type PostgresServer, startPostgres } from "../support/postgres.ts";

const JOBS = 500;
const HELD_BY_THE_KILLED = 40;

describe.runIf(hasPostgres("what replicas do with jobs"))("replicas that run jobs", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  it("may start at once, and end each once", async () => {
    const url = await server.createDatabase();
    const stores = await Promise.all(["a", "b", "c", "d"].map((name) => open(url, name)));
    await submitAll(stores[0]);
    const ended = await Promise.all(stores.map((store) => runAll(store, Date.now() + 20_000)));
    expect(ended.flat().length).toBe(JOBS);
    await expectAllEnded(stores[0], 0);
  });

  it("end each once though one is killed and the connections are lost", { timeout: 90_000 }, async () => {
    const url = await server.createDatabase();
    const [a, b] = [await open(url, "a"), await open(url, "b")];
    await submitAll(a);
    const killed = fork(`${import.meta.dirname}/job-worker.ts`, [url, String(HELD_BY_THE_KILLED)]);
    const [held] = await once(killed, "message");
    expect(held).toBe(HELD_BY_THE_KILLED);
    // While it lives, they are its own.
    await wait(2 * RENEW_MS);
    killed.kill("SIGKILL");
    await once(killed, "exit");
    const endMs = Date.now() + 3 * LEASE_MS;
    const running = Promise.all([a, b].map((store) => runAll(store, endMs)));
    for (let times = 0; times < 5; times++) {
      await wait(200);
      await server.dropConnections();
    }
    await running;
    await expectAllEnded(a, HELD_BY_THE_KILLED);
  });
});

async function submitAll(store: Store | undefined): Promise<void> {
  const now = Date.now();
  const ids = Array.from({ length: JOBS }, (_, index) => `${index}`);
  const hook = { createdAtMs: now, callbackUrl: "https://example.com/" };
  const batch = batchOf("batch", ids, hook, { createdAtMs: now, dueAtMs: now });
  expect(await store?.jobs.submit(batch)).toEqual({ outcome: "stored" });
}

/** Until the batch has ended. Returns what this store has ended. */
async function runAll({ jobs }: Store, endMs: number): Promise<string[]> {
  const ended: string[] = [];
  while (Date.now() < endMs) {
    try {
      const taken = await jobs.take(7, Date.now());
      for (const one of taken) {
        if (await jobs.finish(runOf(one), endingOf({ atMs: Date.now() }))) ended.push(one.job.jobId);
      }
      if (taken.length > 0) continue;
      if ((await jobs.batch("batch", OWNER))?.endedAtMs) return ended;
    } catch {
      // The database is away.
    }
    await wait(100);
  }
  throw new Error("the batch has not ended");
}

async function expectAllEnded(store: Store | undefined, lost: number): Promise<void> {
  const { rows = [] } = (await store?.jobs.outcomes("batch", OWNER, { size: 1_000, after: undefined })) ?? {};
  expect(new Set(rows.map(({ job }) => job.jobId)).size).toBe(JOBS);
  expect(rows).toHaveLength(JOBS);
  expect(rows.every(({ job }) => job.state === "completed" && job.runs === 1 + job.lostRuns)).toBe(true);
  // A commit that was not heard of can have begun some more runs.
  expect(rows.filter(({ job }) => job.lostRuns > 0).length).toBeGreaterThanOrEqual(lost);
  expect(await store?.outbox.counts()).toMatchObject({ pending: 1 });
}

async function open(databaseUrl: string, instance: string): Promise<Store> {
  const store = await openStore({ databaseUrl, dataDir: "", instance, onDeath: () => {} });
  onTestFinished(() => store.close());
  return store;
}
