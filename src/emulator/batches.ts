/**
 * What one emulator keeps of files and batches: in memory, and for as long as it runs. It knows no wire format, and
 * executes nothing itself.
 */
import { setTimeout as wait } from "node:timers/promises";

export interface StoredFile {
  readonly id: string;
  readonly name: string;
  readonly purpose: string;
  readonly createdAtMs: number;
  readonly content: string;
}

/** One request of a batch. */
export interface BatchLine {
  readonly customId: string;
  /** As the line names it, whatever that is. */
  readonly model: unknown;
  /** How long it takes; undefined for ever. */
  readonly takesMs: number | undefined;
  /** Serves it, once. Returns the line of the output, and whether it went well. */
  serve(): { readonly text: string; readonly ok: boolean };
}

export type BatchEnd = "completed" | "cancelled" | "expired";

/** A batch while it is worked off. */
export class Batch {
  readonly id: string;
  readonly inputFileId: string;
  readonly metadata: unknown;
  readonly createdAtMs = Date.now();
  readonly endsAtMs: number;
  readonly outputs: string[] = [];
  readonly errors: string[] = [];
  /** When it came to each of its states. */
  readonly times = new Map<string, number>();
  total = 0;
  /** Ids of the files that it came to. */
  outputFileId: string | undefined;
  errorFileId: string | undefined;
  /** What is wrong with its input, where it failed by that. */
  faults: readonly object[] = [];
  readonly #cancel = new AbortController();

  constructor(id: string, inputFileId: string, metadata: unknown, windowMs: number) {
    this.id = id;
    this.inputFileId = inputFileId;
    this.metadata = metadata;
    this.endsAtMs = this.createdAtMs + windowMs;
    this.enter("validating");
  }

  /** The latest of its states. */
  get status(): string {
    return [...this.times.keys()].at(-1) ?? "";
  }

  enter(status: string): void {
    this.times.set(status, Date.now());
  }

  cancel(): void {
    this.enter("cancelling");
    this.#cancel.abort();
  }

  /** Serves the lines, each in its time, until all are served or the batch has to end. Lines left over are returned. */
  async work(lines: readonly BatchLine[]): Promise<{ end: BatchEnd; unserved: readonly BatchLine[] }> {
    const cancelled = this.#cancel.signal;
    const over = AbortSignal.any([cancelled, AbortSignal.timeout(this.endsAtMs - Date.now())]);
    const unserved: BatchLine[] = [];
    const serve = async (line: BatchLine) => {
      await passed(line.takesMs, over);
      if (over.aborted) {
        unserved.push(line);
        return;
      }
      const { text, ok } = line.serve();
      (ok ? this.outputs : this.errors).push(text);
    };
    await Promise.all(lines.map(serve));
    const cut = cancelled.aborted ? "cancelled" : "expired";
    return { end: unserved.length > 0 || cancelled.aborted ? cut : "completed", unserved };
  }
}

export class BatchStore {
  readonly files = new Map<string, StoredFile>();
  readonly batches = new Map<string, Batch>();
}

/** Resolves early when it is over. */
async function passed(ms: number | undefined, over: AbortSignal): Promise<void> {
  try {
    if (ms === undefined) await new Promise((resolve) => over.addEventListener("abort", resolve));
    else await wait(ms, undefined, { signal: over, ref: false });
  } catch {
    // Whoever waits looks at the signal.
  }
}
