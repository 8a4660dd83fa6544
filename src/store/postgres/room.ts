/**
 * How many jobs may still be submitted. It counts those in the database now and then, and adds what this process
 * submits, so that no submission waits for another. It knows no connection.
 */

export interface Limits {
  readonly maxPending: number;
  readonly maxStored: number;
}

export interface Stored {
  readonly pending: number;
  readonly stored: number;
}

/** What other replicas submit in such a time may exceed the limits. */
const TRUSTED_MS = 1_000;

export class Room {
  private readonly count: () => Promise<Stored>;
  private counted: Stored = { pending: 0, stored: 0 };
  private countedAtMs = -Infinity;
  private counting: Promise<void> | undefined;
  /** What may not be in the latest count. */
  private added = 0;
  /** What is being stored. */
  private inFlight = 0;

  constructor(count: () => Promise<Stored>) {
    this.count = count;
  }

  /** Stores it if there is room. Returns the limit that leaves none. */
  async take<T>(jobs: number, limits: Limits, store: () => Promise<T>): Promise<T | keyof Limits> {
    if (performance.now() - this.countedAtMs > TRUSTED_MS) await this.recount();
    // Some may be gone since: nothing is refused by an old count.
    if (this.exceeded(jobs, limits)) await this.recount();
    const limit = this.exceeded(jobs, limits);
    if (limit) return limit;
    this.added += jobs;
    this.inFlight += jobs;
    try {
      return await store();
    } finally {
      this.inFlight -= jobs;
    }
  }

  private exceeded(jobs: number, { maxPending, maxStored }: Limits): keyof Limits | undefined {
    const more = this.added + jobs;
    if (this.counted.pending + more > maxPending) return "maxPending";
    return this.counted.stored + more > maxStored ? "maxStored" : undefined;
  }

  private recount(): Promise<void> {
    this.counting ??= this.countAnew().finally(() => {
      this.counting = undefined;
    });
    return this.counting;
  }

  private async countAnew(): Promise<void> {
    const [before, inFlight] = [this.added, this.inFlight];
    this.counted = await this.count();
    // What was being stored when the count began is in it or not.
    this.added = inFlight + this.added - before;
    this.countedAtMs = performance.now();
  }
}
