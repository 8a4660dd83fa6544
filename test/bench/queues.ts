/** Queues to be measured: the gateway's on either store, and beside each the barest that its database allows. */
import { randomUUIDv7 } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { create, toBinary } from "@bufbuild/protobuf";
import { Pool } from "pg";
import { PgBoss } from "pg-boss";
import { ChatRequestSchema, ChatResponseSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { openStore } from "../../src/store/store.ts";
import { endingOf, jobOf, submissionOf } from "../support/jobs.ts";
import { startPostgres } from "../support/postgres.ts";
import type { BareQuestion } from "./bare-queue.ts";
import { MESSAGES } from "./load.ts";

export interface Queue {
  readonly name: string;
  /** Resolves once the job is safe. */
  submit(): Promise<void>;
  /** Takes so many and ends each by itself, as runs end. Returns how many there were. */
  drain(limit: number): Promise<number>;
  close(): Promise<void>;
}

/** What the gateway's are measured by. */
export interface Pair {
  readonly ours: Queue;
  readonly bare: Queue;
  close(): Promise<void>;
}

const BODY = toBinary(
  ChatRequestSchema,
  create(ChatRequestSchema, { messages: MESSAGES, model: "openai/gpt-4o" }),
);
const RESULT = toBinary(
  ChatResponseSchema,
  create(ChatResponseSchema, { response: "An answer of some words. ".repeat(20), finishReason: "stop" }),
);

export async function onSqlite(): Promise<Pair> {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-bench-"));
  return pairOf(
    await ourQueue("SQLite", { dataDir: folder }),
    bareSqlite(join(folder, "bare.db")),
    async () => rmSync(folder, { recursive: true }),
  );
}

export async function onPostgres(): Promise<Pair> {
  const server = await startPostgres();
  const [databaseUrl, bareUrl] = [await server.createDatabase(), await server.createDatabase()];
  return pairOf(await ourQueue("PostgreSQL", { dataDir: "", databaseUrl }), await barePostgres(bareUrl), () =>
    server.stop(),
  );
}

function pairOf(ours: Queue, bare: Queue, clean: () => Promise<void>): Pair {
  const close = async () => {
    await Promise.all([ours.close(), bare.close()]);
    await clean();
  };
  return { ours, bare, close };
}

async function ourQueue(
  name: string,
  where: { readonly dataDir: string; readonly databaseUrl?: string },
): Promise<Queue> {
  const store = await openStore({ ...where, instance: "bench", onDeath: fail });
  const { jobs } = store;
  return {
    name,
    async submit() {
      const nowMs = Date.now();
      const job = jobOf(randomUUIDv7(), { createdAtMs: nowMs, dueAtMs: nowMs, request: BODY });
      const limits = { maxPending: 1_000_000, maxStored: 1_000_000 };
      const { outcome } = await jobs.submit(submissionOf([job], { ...limits, idempotencyKey: job.jobId }));
      if (outcome !== "stored") fail(outcome);
    },
    async drain(limit) {
      const taken = await jobs.take(limit, Date.now());
      const ends = taken.map(({ job: { jobId, runs } }) =>
        jobs.finish({ jobId, run: runs }, endingOf({ atMs: Date.now(), result: RESULT })),
      );
      await Promise.all(ends);
      return taken.length;
    },
    close: () => store.close(),
  };
}

function bareSqlite(file: string): Queue {
  const worker = new Worker(new URL("bare-queue.ts", import.meta.url), { workerData: { file } });
  worker.on("error", fail);
  const waiting: ((answer: unknown) => void)[] = [];
  worker.on("message", (answer) => waiting.shift()?.(answer));
  const ask = (question: BareQuestion) =>
    new Promise<unknown>((resolve) => {
      waiting.push(resolve);
      worker.postMessage(question);
    });
  return {
    name: "bare INSERT and UPDATE",
    submit: async () => void (await ask({ kind: "insert", id: randomUUIDv7(), body: BODY })),
    async drain(limit) {
      const taken = (await ask({ kind: "take", limit })) as { readonly id: string }[];
      await Promise.all(taken.map(({ id }) => ask({ kind: "finish", id, result: RESULT })));
      return taken.length;
    },
    close: async () => void (await worker.terminate()),
  };
}

/** With as many connections as the gateway has. */
async function barePostgres(connectionString: string): Promise<Queue> {
  const pool = new Pool({ connectionString, max: 5 });
  pool.on("error", () => {});
  const boss = new PgBoss({
    db: { executeSql: (text, values) => pool.query(text, values) },
    schedule: false,
    supervise: false,
  });
  boss.on("error", fail);
  await boss.start();
  await boss.createQueue("bench");
  const body = { body: Buffer.from(BODY).toString("base64") };
  const result = { result: Buffer.from(RESULT).toString("base64") };
  return {
    name: "bare pg-boss",
    submit: async () => void (await boss.send("bench", body)),
    async drain(limit) {
      const taken = await boss.fetch("bench", { batchSize: limit });
      await Promise.all(taken.map(({ id }) => boss.complete("bench", id, result)));
      return taken.length;
    },
    async close() {
      await boss.stop({ graceful: false, close: false });
      await pool.end();
    },
  };
}

function fail(reason: unknown): never {
  throw new Error(String(reason));
}
