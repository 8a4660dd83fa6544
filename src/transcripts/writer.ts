/**
 * What was said in calls on its way to the durable store, off the way of calls: made ready one by one, and written in
 * small groups with rests in between. Its memory is bounded, and it gives way to the ledger: what there is no room for
 * is dropped, and told. What may be kept of a call it does not know.
 */
import { setImmediate } from "node:timers/promises";
import type { Clock, Timer } from "../core/clock.ts";
import type { TranscriptRow, TranscriptStore } from "../core/transcript-store.ts";

export interface WriterOptions {
  readonly store: Pick<TranscriptStore, "keep">;
  readonly clock: Clock;
  /** Whether rows of the ledger wait for the database, which go first. */
  isHeldUp(): boolean;
  onWritten(texts: number): void;
  onDropped(texts: number, reason: "full" | "failed"): void;
  /** Told of each failure of the store, whose texts are dropped. */
  onError(error: unknown): void;
}

export interface Entry {
  /** How much it holds in memory until it is ready. */
  readonly bytes: number;
  /** Makes it ready to be written. Returns undefined when it may not be kept. */
  make(): TranscriptRow | undefined;
}

/** Of all that waits. */
export const MAX_WAITING_BYTES = 32 * 1024 * 1024;
/** So little that a row of the ledger behind it waits for milliseconds. */
const GROUP_BYTES = 256 * 1024;
const GROUP_ROWS = 50;
const WRITE_AFTER_MS = 500;
/** By how much each rest is longer than the writing before it: the disk is the ledger's for the most part. */
const REST = 4;

export class TranscriptWriter {
  private readonly options: WriterOptions;
  private readonly raw: Entry[] = [];
  private readonly ready: TranscriptRow[] = [];
  private waiting = 0;
  private restUntilMs = 0;
  private timer: Timer | undefined;
  private making: Promise<void> | undefined;
  private writing: Promise<void> | undefined;

  constructor(options: WriterOptions) {
    this.options = options;
  }

  /** Bytes in memory. */
  get waitingBytes(): number {
    return this.waiting;
  }

  /** Never waits. */
  keep(entry: Entry): void {
    if (this.waiting + entry.bytes > MAX_WAITING_BYTES) {
      this.options.onDropped(1, "full");
      return;
    }
    this.raw.push(entry);
    this.waiting += entry.bytes;
    this.making ??= this.makeReady();
  }

  /** Resolves once nothing of what waits now waits any more. */
  async flush(): Promise<void> {
    await this.making;
    await this.writing;
    while (this.ready.length > 0) await this.write();
  }

  /** Forgets what waits; what is being written is written. */
  clear(): void {
    for (const { bytes } of this.raw.splice(0)) this.waiting -= bytes;
    for (const { text } of this.ready.splice(0)) this.waiting -= text.length;
    this.timer?.cancel();
  }

  /** Others have their turn before each, since to look through a long text takes its time. */
  private async makeReady(): Promise<void> {
    await setImmediate();
    for (let entry = this.raw.shift(); entry; entry = this.raw.shift()) {
      this.waiting -= entry.bytes;
      this.accept(entry);
      await setImmediate();
    }
    this.making = undefined;
  }

  private accept(entry: Entry): void {
    const row = this.made(entry);
    if (!row) return;
    this.ready.push(row);
    this.waiting += row.text.length;
    if (this.ready.length === 1 && !this.writing) this.schedule();
  }

  private made(entry: Entry): TranscriptRow | undefined {
    try {
      return entry.make();
    } catch (error) {
      this.options.onError(error);
      this.options.onDropped(1, "failed");
      return undefined;
    }
  }

  private schedule(): void {
    const { clock } = this.options;
    this.timer?.cancel();
    const delayMs = Math.max(WRITE_AFTER_MS, this.restUntilMs - clock.now());
    this.timer = clock.after(delayMs, () => this.writeUnlessHeldUp());
  }

  private writeUnlessHeldUp(): void {
    if (this.ready.length === 0 || this.writing) return;
    if (this.options.isHeldUp()) this.schedule();
    else void this.write();
  }

  private write(): Promise<void> {
    this.writing ??= this.writeGroup().finally(() => {
      this.writing = undefined;
      if (this.ready.length > 0) this.schedule();
    });
    return this.writing;
  }

  private async writeGroup(): Promise<void> {
    const { store, clock, onWritten, onDropped, onError } = this.options;
    const rows = this.takeGroup();
    const beganMs = clock.now();
    try {
      await store.keep(rows);
      onWritten(rows.length);
    } catch (error) {
      onError(error);
      onDropped(rows.length, "failed");
    }
    for (const { text } of rows) this.waiting -= text.length;
    this.restUntilMs = clock.now() + REST * (clock.now() - beganMs);
  }

  private takeGroup(): TranscriptRow[] {
    let [rows, bytes] = [0, 0];
    for (const { text } of this.ready) {
      if (rows === GROUP_ROWS || (rows > 0 && bytes + text.length > GROUP_BYTES)) break;
      rows++;
      bytes += text.length;
    }
    return this.ready.splice(0, rows);
  }
}
