/** Renews what this gateway holds on Redis, all at once, for as long as it holds it. */
import type { Clock, Timer } from "../../core/clock.ts";

/** So many in one command, so that Redis is not held up. */
const BATCH = 1_000;
/** A lease is renewed so many times before it would end. */
const RENEWALS = 3;

export class Leases {
  private readonly open = new Set<string>();
  private readonly renew: (keys: readonly string[]) => Promise<unknown>;
  private readonly timer: Timer;

  constructor(clock: Clock, leaseMs: number, renew: (keys: readonly string[]) => Promise<unknown>) {
    this.renew = renew;
    this.timer = clock.after(leaseMs / RENEWALS, () => {
      this.renewAll();
      this.timer.refresh();
    });
  }

  add(key: string): void {
    this.open.add(key);
  }

  drop(key: string): void {
    this.open.delete(key);
  }

  close(): void {
    this.timer.cancel();
  }

  private renewAll(): void {
    const keys = [...this.open];
    for (let i = 0; i < keys.length; i += BATCH) {
      // What fails is tried again next time, of which there is one before the lease ends.
      this.renew(keys.slice(i, i + BATCH)).catch(() => {});
    }
  }
}
