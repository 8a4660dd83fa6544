/** How late this process is: what came in for it lies unread for so long. It looks ten times a second. */
import type { Clock, Timer } from "./clock.ts";

const LOOK_MS = 100;
/** The worst of so many looks counts, since who asks now may ask about what came a while ago. */
const LOOKS = 10;

export class Lag {
  private readonly clock: Clock;
  private readonly seen = new Array<number>(LOOKS).fill(0);
  private at = 0;
  private dueMs = 0;
  private timer: Timer | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
    this.look();
  }

  /** Milliseconds, within the last second. */
  get ms(): number {
    return Math.max(0, this.clock.now() - this.dueMs, ...this.seen);
  }

  stop(): void {
    this.timer?.cancel();
  }

  private look(): void {
    this.dueMs = this.clock.now() + LOOK_MS;
    this.timer = this.clock.after(LOOK_MS, () => {
      this.seen[this.at++ % LOOKS] = this.clock.now() - this.dueMs;
      this.look();
    });
  }
}
