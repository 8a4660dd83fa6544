/**
 * Has what is known outlast the process: requests go to a durable store with their answers, and come back from it when
 * the process starts. What is cleared is cleared there, too. No call waits for it.
 */
import type { KnownRow, KnownStore } from "../../core/known-store.ts";
import type { Answer } from "../answer.ts";
import type { Answers, Entry, Told, Which } from "../answers.ts";
import { decodeEvents, droppedFrom, EventBytes } from "../events.ts";
import { factsOf } from "./facts.ts";
import type { Framed, Known } from "./known.ts";

export interface LastingMeans {
  readonly known: Known;
  readonly store: KnownStore;
  now(): number;
  /** Told of what could not be kept or read. */
  onError(error: unknown): void;
  /** About as many bytes as an answer takes in memory. */
  sizeOf(key: string, entry: Omit<Entry, "bytes">): number;
}

/** So many are kept before what is too old is looked for. */
const SWEEP_AFTER = 1_000;
/** So many may wait to be written; what comes beyond is not kept. */
const MAX_WAITING = 100;

/** The same answers: those to requests that are known outlast the process. */
export class Lasting implements Answers {
  private readonly answers: Answers;
  private readonly means: LastingMeans;
  private kept = 0;
  private readonly waiting = new Set<Promise<void>>();

  constructor(answers: Answers, means: LastingMeans) {
    this.answers = answers;
    this.means = means;
  }

  find(key: string, tenant: string): Entry | undefined | Promise<Entry | undefined> {
    return this.answers.find(key, tenant);
  }

  atHand(key: string): Entry | undefined {
    return this.answers.atHand(key);
  }

  keep(key: string, entry: Entry): void {
    this.answers.keep(key, entry);
    const { known, store } = this.means;
    const asked = known.find(key);
    if (!asked || this.waiting.size >= MAX_WAITING) return;
    this.behind(store.keep(rowOf(asked, entry)));
    if (++this.kept % SWEEP_AFTER === 0) this.behind(store.sweep(this.means.now(), known.maxSize));
  }

  restore(key: string, entry: Entry): void {
    this.answers.restore(key, entry);
  }

  async clear(which: Which): Promise<number> {
    // First, since a store that does not answer is no reason to give them on.
    const cleared = await this.answers.clear(which);
    // What was being written is there to be cleared then.
    await this.written();
    await this.means.store.clear(which);
    return cleared;
  }

  get clears(): number {
    return this.answers.clears;
  }

  isCleared(told: Told, since: number): boolean {
    return this.answers.isCleared(told, since);
  }

  /** Takes up what was known before. */
  async load(): Promise<void> {
    const { known, store, now, onError, sizeOf } = this.means;
    try {
      await store.sweep(now(), known.maxSize);
      for (const row of await store.load(now(), known.maxSize)) {
        const { key, frame, text } = row;
        const { tenant, family, tags, expiresAtMs } = row;
        const labelled = { answer: answerOf(row), tenant, family, tags, expiresAtMs };
        this.answers.restore(key, { ...labelled, bytes: sizeOf(key, labelled) });
        known.add(frame, { key, text, vector: vectorOf(row.vector), facts: factsOf(text) });
      }
    } catch (error) {
      onError(error);
    }
  }

  /** Resolves once all that was kept is written. */
  async written(): Promise<void> {
    await Promise.all(this.waiting);
  }

  private behind(work: Promise<void>): void {
    const watched = work.catch(this.means.onError).finally(() => this.waiting.delete(watched));
    this.waiting.add(watched);
  }
}

function rowOf(
  { key, frame, text, vector }: Framed,
  { answer, tenant, family, tags, expiresAtMs }: Entry,
): KnownRow {
  const bytes = new EventBytes(Number.POSITIVE_INFINITY);
  for (const { events } of answer.batches) for (const event of events) bytes.add(event, answer.dropped);
  const { provider, model, costPicoUsd, requestId, storedAtMs } = answer;
  return {
    ...{ key, frame, text, tenant, family, tags, requestId, storedAtMs, expiresAtMs, provider, model },
    costPicoUsd,
    vector: new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength),
    events: bytes.whole() ?? new Uint8Array(),
  };
}

/** All at once: when each piece of it came is not kept. */
function answerOf({ events, provider, model, costPicoUsd, requestId, storedAtMs }: KnownRow): Answer {
  const said = decodeEvents(events);
  const dropped = droppedFrom(said.at(-1));
  const batches = [{ events: said, atMs: 0 }];
  return { batches, provider, model, costPicoUsd, requestId, storedAtMs, ...dropped };
}

/** Copied to where numbers of 32 bits may begin. */
function vectorOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}
