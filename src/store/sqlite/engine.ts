/**
 * The durable store on SQLite: asks the thread that owns the database, and tells when that thread is no more. It
 * knows neither tables nor files.
 */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { LedgerStore } from "../../core/ledger.ts";
import type { PicoUsd } from "../../core/money.ts";
import { rowsOf, textOf } from "../rows.ts";
import { idempotencyBy, jobsBy, knownBy, outboxBy } from "./ports.ts";
import type { Answer, Question } from "./protocol.ts";

export interface SqliteOptions {
  /** Folder of the database; made when it is not there. */
  readonly dataDir: string;
  readonly instance: string;
  /** Told once when nothing can be kept any more until the process starts anew. */
  onDeath(reason: string): void;
}

/** @throws Error when another process uses the folder, or the database cannot be opened */
export async function openSqlite({ dataDir, instance, onDeath }: SqliteOptions) {
  const thread = new Thread({ dataDir, instance }, onDeath);
  await thread.opened;
  const ledger: LedgerStore = {
    async append(batch) {
      const rows = new TextEncoder().encode(textOf(rowsOf(batch, instance))).buffer;
      await thread.ask({ kind: "append", rows }, [rows]);
    },
    spent: async (filter, sinceMs) => (await thread.ask({ kind: "spent", filter, sinceMs })) as PicoUsd,
    closeOrphans: async (nowMs) => Number(await thread.ask({ kind: "closeOrphans", nowMs })),
    async rollUp(nowMs, keepSinceMs) {
      // Batches are written in between.
      while (await thread.ask({ kind: "rollUp", nowMs, keepSinceMs }));
    },
    keepCatalog: async (version, json, nowMs) =>
      (await thread.ask({ kind: "keepCatalog", version, json, nowMs })) === true,
  };
  const ask = (question: Question) => thread.ask(question);
  return {
    ledger,
    jobs: jobsBy(ask),
    outbox: outboxBy(ask),
    idempotency: idempotencyBy(ask),
    known: knownBy(ask),
    close: () => thread.close(),
  };
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

class Thread {
  /** Rejects when the database cannot be opened. */
  readonly opened: Promise<unknown>;
  private readonly worker: Worker;
  private readonly exited: Promise<void>;
  /** In the order of their answers. */
  private readonly pending: Pending[] = [];
  private state: "opening" | "open" | "closing" = "opening";
  private dead: Error | undefined;

  constructor(workerData: { dataDir: string; instance: string }, onDeath: (reason: string) => void) {
    // Compiled or not, the thread's script is beside this one and ends alike.
    const script = new URL(`worker${extname(import.meta.url)}`, import.meta.url);
    this.worker = new Worker(script, { workerData });
    this.opened = this.answered();
    this.worker.on("message", (answer: Answer) => this.take(answer));
    this.worker.on("error", (error: Error) => this.die(error));
    this.exited = new Promise((resolve) => {
      this.worker.on("exit", (code) => {
        this.die(new Error(`its thread ended with ${code}`));
        if (this.state === "open") onDeath(`the database is not written any more: ${this.dead?.message}`);
        resolve();
      });
    });
  }

  async ask(question: Question, handOver: readonly ArrayBuffer[] = []): Promise<unknown> {
    if (this.dead) throw this.dead;
    // What cannot be sent throws here, and no answer to it is waited for.
    this.worker.postMessage(question, handOver);
    return this.answered();
  }

  async close(): Promise<void> {
    if (this.state !== "closing") {
      this.state = "closing";
      // What fails now is only that it is dead already.
      await this.ask({ kind: "close" }).catch(() => {});
    }
    await this.exited;
  }

  private answered(): Promise<unknown> {
    // Whoever waits for an answer keeps the process alive, and nothing else does.
    this.worker.ref();
    return new Promise((resolve, reject) => this.pending.push({ resolve, reject }));
  }

  private take(answer: Answer): void {
    if (this.state === "opening") this.state = "open";
    const asker = this.pending.shift();
    if (this.pending.length === 0) this.worker.unref();
    if ("error" in answer) asker?.reject(new Error(answer.error));
    else asker?.resolve(answer.value);
  }

  private die(reason: Error): void {
    this.dead ??= reason;
    for (const { reject } of this.pending.splice(0)) reject(this.dead);
  }
}
