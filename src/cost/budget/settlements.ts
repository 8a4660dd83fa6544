/** What is settled and not yet told to Redis: told at once, and again until it was heard. It knows no amounts. */
import { type Clock, pass, type Timer } from "../../core/clock.ts";

/** Beyond so many the oldest are given up: their leases end, and they stay booked with all that was reserved. */
const MAX_WAITING = 100_000;
const RETRY_MS = 500;
/** So many are told at a time when Redis is back. */
const BATCH = 500;
/** How long a gateway that stops waits for Redis. */
const CLOSE_MS = 2_000;

export class Settlements<T> {
  private readonly clock: Clock;
  private readonly tell: (one: T) => Promise<void>;
  /** In the order in which they were settled. */
  private readonly waiting = new Map<string, T>();
  private readonly underWay = new Set<Promise<unknown>>();
  private timer: Timer | undefined;

  constructor(clock: Clock, tell: (one: T) => Promise<void>) {
    this.clock = clock;
    this.tell = tell;
  }

  add(id: string, one: T): void {
    const sent = this.tell(one)
      .catch(() => this.keep(id, one))
      .finally(() => this.underWay.delete(sent));
    this.underWay.add(sent);
  }

  /** Once all that can be told is told. */
  async close(): Promise<void> {
    const deadlineMs = this.clock.now() + CLOSE_MS;
    do {
      await Promise.all(this.underWay);
      if (this.waiting.size > 0) await pass(this.clock, RETRY_MS / 5);
      this.sendWaiting();
    } while ((this.underWay.size > 0 || this.waiting.size > 0) && this.clock.now() < deadlineMs);
    this.timer?.cancel();
    this.waiting.clear();
  }

  private keep(id: string, one: T): void {
    this.waiting.set(id, one);
    for (const oldest of this.waiting.keys()) {
      if (this.waiting.size <= MAX_WAITING) break;
      this.waiting.delete(oldest);
    }
    this.tryLater();
  }

  private tryLater(): void {
    this.timer ??= this.clock.after(RETRY_MS, () => {
      this.timer = undefined;
      this.sendWaiting();
    });
  }

  private sendWaiting(): void {
    let room = BATCH - this.underWay.size;
    for (const [id, one] of this.waiting) {
      if (room-- <= 0) break;
      this.waiting.delete(id);
      this.add(id, one);
    }
    if (this.waiting.size > 0) this.tryLater();
  }
}
