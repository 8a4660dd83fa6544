/**
 * The record of every request that the emulator served, with the tokens a provider would bill.
 * It knows nothing of wire formats, and forgets nothing but the oldest single records of a very long run.
 */

/**
 * `served`: answered to its end; `cut`: ended early on purpose, by a fault; `aborted`: the client left first;
 * `error`: answered by an error, before or inside a stream; `open`: still being answered.
 */
export type Outcome = "served" | "cut" | "aborted" | "error" | "open";

/** One request. While its outcome is `open`, the figures are those so far. */
export interface MeterRecord {
  /** Equal to the reply's header that bears its id: `x-request-id`, or what the format calls it. */
  readonly id: string;
  readonly path: string;
  /** As the client asked for it; empty where the request named none or could not be read. */
  model: string;
  /** The HTTP status that was sent; 0 when none was. */
  status: number;
  stream: boolean;
  /** Metered when the request is accepted; includes cached and cache-write tokens. Zero for errors. */
  inputTokens: number;
  cachedInputTokens: number;
  cacheWriteTokens: number;
  /** Of those, the ones that are kept for an hour. */
  cacheWrite1hTokens: number;
  /** Metered as they are written; includes reasoning. A unary reply is metered whole with its first byte. */
  outputTokens: number;
  reasoningTokens: number;
  /** The directives that applied, asked for or drawn by chaos; absent when none did. */
  fault?: string;
  /** By which its client wants to find it again: the text's directive `mark`. Absent without one. */
  mark?: string;
  outcome: Outcome;
  /** Bytes of the body handed to the socket so far. */
  bytesWritten: number;
  readonly startedAtMs: number;
  endedAtMs?: number;
}

/** Sums over all requests since the last reset. */
export interface MeterTotals {
  requests: number;
  served: number;
  cut: number;
  aborted: number;
  error: number;
  open: number;
  inputTokens: number;
  cachedInputTokens: number;
  cacheWriteTokens: number;
  outputTokens: number;
  reasoningTokens: number;
  bytesWritten: number;
}

/** What an emulator's owner may ask of its meter. */
export interface Meter {
  /** In order of arrival. Of a very long run only the latest 100,000 or more are kept; totals lose nothing. */
  readonly requests: readonly Readonly<MeterRecord>[];
  totals(): MeterTotals;
  /** Forgets everything. A request still open is not counted when it ends. */
  reset(): void;
  /** Resolves once `count` requests have ended since the last reset. */
  ended(count: number): Promise<void>;
}

const KEPT = 100_000;

/** The meter as the server writes it. */
export class RequestMeter implements Meter {
  #records: MeterRecord[] = [];
  #folded = noTotals();
  #ended = 0;
  #waiting: { count: number; resolve: () => void }[] = [];
  /** Open records since the last reset; one that is not among them was forgotten. */
  #open = new Set<MeterRecord>();

  get requests(): readonly Readonly<MeterRecord>[] {
    return this.#records;
  }

  /** Begins a record; the caller updates it and calls `close` exactly once. */
  open(id: string, path: string): MeterRecord {
    const record: MeterRecord = {
      id,
      path,
      model: "",
      status: 0,
      stream: false,
      inputTokens: 0,
      cachedInputTokens: 0,
      cacheWriteTokens: 0,
      cacheWrite1hTokens: 0,
      outputTokens: 0,
      reasoningTokens: 0,
      outcome: "open",
      bytesWritten: 0,
      startedAtMs: Date.now(),
    };
    if (this.#records.length >= 2 * KEPT) this.#fold();
    this.#records.push(record);
    this.#open.add(record);
    return record;
  }

  close(record: MeterRecord, outcome: Exclude<Outcome, "open">): void {
    record.outcome = outcome;
    record.endedAtMs = Date.now();
    if (!this.#open.delete(record)) return;
    this.#ended += 1;
    this.#waiting = this.#waiting.filter((waiter) => {
      if (waiter.count > this.#ended) return true;
      waiter.resolve();
      return false;
    });
  }

  totals(): MeterTotals {
    const totals = { ...this.#folded };
    for (const record of this.#records) add(totals, record);
    return totals;
  }

  reset(): void {
    this.#records = [];
    this.#folded = noTotals();
    this.#open.clear();
    this.#ended = 0;
  }

  ended(count: number): Promise<void> {
    if (this.#ended >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  /** Moves the oldest ended records into the sums, many at once so that each request pays nothing for it. */
  #fold(): void {
    const kept: MeterRecord[] = [];
    this.#records.forEach((record, index) => {
      if (index < KEPT && record.outcome !== "open") add(this.#folded, record);
      else kept.push(record);
    });
    this.#records = kept;
  }
}

function noTotals(): MeterTotals {
  return {
    requests: 0,
    served: 0,
    cut: 0,
    aborted: 0,
    error: 0,
    open: 0,
    inputTokens: 0,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
    bytesWritten: 0,
  };
}

function add(totals: MeterTotals, record: Readonly<MeterRecord>): void {
  totals.requests += 1;
  totals[record.outcome] += 1;
  totals.inputTokens += record.inputTokens;
  totals.cachedInputTokens += record.cachedInputTokens;
  totals.cacheWriteTokens += record.cacheWriteTokens;
  totals.outputTokens += record.outputTokens;
  totals.reasoningTokens += record.reasoningTokens;
  totals.bytesWritten += record.bytesWritten;
}
