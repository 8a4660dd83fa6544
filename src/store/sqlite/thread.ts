/** A thread beside a SQLite database: asks it, and tells when it is no more. It knows no questions and no files. */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { DatabaseFault } from "../../core/database-fault.ts";
import type { Answer, Question } from "./protocol.ts";

/** Where a thread finds its database, and for whom it works there. */
export interface Seat {
  readonly dataDir: string;
  readonly instance: string;
}

export class Thread {
  /** Rejects when the database cannot be opened. */
  readonly opened: Promise<unknown>;
  private readonly worker: Worker;
  private readonly exited: Promise<void>;
  /** In the order of their answers. */
  private readonly pending: Pending[] = [];
  private state: "opening" | "open" | "closing" = "opening";
  private dead: Error | undefined;

  /** @param onDeath told once when it ended by itself after it had opened */
  constructor(script: "worker" | "reader", workerData: Seat, onDeath: (reason: string) => void) {
    // Compiled or not, the thread's script is beside this one and ends alike.
    const file = new URL(`${script}${extname(import.meta.url)}`, import.meta.url);
    this.worker = new Worker(file, { workerData });
    this.opened = this.answered();
    this.worker.on("message", (answer: Answer) => this.take(answer));
    this.worker.on("error", (error: Error) => this.die(new DatabaseFault(error.message, { cause: error })));
    this.exited = new Promise((resolve) => {
      this.worker.on("exit", (code) => {
        this.die(new DatabaseFault(`its thread ended with ${code}`));
        if (this.state === "open") onDeath(String(this.dead?.message));
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
    if ("error" in answer) asker?.reject(new (answer.passing ? DatabaseFault : Error)(answer.error));
    else asker?.resolve(answer.value);
  }

  private die(reason: Error): void {
    this.dead ??= reason;
    for (const { reject } of this.pending.splice(0)) reject(this.dead);
  }
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}
