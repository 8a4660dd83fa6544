/** Counts long texts beside the event loop. It starts its thread with the first, and a new one when that dies. */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { CountReply, CountRequest } from "./counting-worker.ts";
import type { Encoding } from "./encodings.ts";

export class CountingThread {
  private worker: Worker | undefined;
  private readonly waiting = new Map<number, Waiting>();
  private readonly script: URL;
  private waitingChars = 0;
  private lastId = 0;

  /** @param script what the thread runs */
  constructor(script: URL = SCRIPT) {
    this.script = script;
  }

  /**
   * @returns undefined when it cannot be counted: too much waits already, or the thread died
   * @throws the signal's reason, at once
   */
  async count(encoding: Encoding, text: string, signal?: AbortSignal): Promise<number | undefined> {
    signal?.throwIfAborted();
    if (this.waitingChars + text.length > MAX_WAITING_CHARS) return undefined;
    this.worker ??= this.start();
    const worker = this.worker;
    const id = ++this.lastId;
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const abort = () => {
      worker.postMessage({ id, encoding } satisfies CountRequest);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    this.waiting.set(id, { resolve });
    this.waitingChars += text.length;
    worker.ref();
    worker.postMessage({ id, encoding, text } satisfies CountRequest);
    try {
      return await promise;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.waiting.delete(id);
      this.waitingChars -= text.length;
      // Whoever waits keeps the process alive; the thread alone does not.
      if (this.waiting.size === 0) this.worker?.unref();
    }
  }

  /** What waits then is not counted. */
  async close(): Promise<void> {
    await this.worker?.terminate();
  }

  private start(): Worker {
    const worker = new Worker(this.script, { resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB } });
    worker.on("message", ({ id, tokens }: CountReply) => this.waiting.get(id)?.resolve(tokens));
    // An error ends the thread, and its end is what counts.
    worker.on("error", () => {});
    worker.on("exit", () => {
      this.worker = undefined;
      for (const { resolve } of this.waiting.values()) resolve(undefined);
    });
    return worker;
  }
}

interface Waiting {
  resolve(tokens: number | undefined): void;
}

/** Beside this file, and of its kind: TypeScript as it is written, JavaScript as it is shipped. */
const SCRIPT = new URL(`./counting-worker${extname(import.meta.url)}`, import.meta.url);
/** Some 2 s of counting, and as much memory again as the texts themselves. */
const MAX_WAITING_CHARS = 32 * 1024 * 1024;
/** The tables are some 150 MB. */
const MAX_HEAP_MB = 512;
