/** Counts of the last minute, which moves on in steps. It knows nothing of what is counted. */
import type { Clock } from "./clock.ts";

const STEP_MS = 5_000;
const STEPS = 12;

/** A fixed number of counts, each asked for by its place. Adding and asking take the same short time for any load. */
export class LastMinute {
  private readonly clock: Clock;
  private readonly size: number;
  /** A row of counts for each step, used again after a minute. */
  private readonly rows: Float64Array;
  private readonly sums: Float64Array;
  private step: number;
  /** How many steps the clock was set back so far. */
  private setBack = 0;

  /** @param size how many counts there are */
  constructor(clock: Clock, size: number) {
    this.clock = clock;
    this.size = size;
    this.rows = new Float64Array(size * STEPS);
    this.sums = new Float64Array(size);
    this.step = this.now();
  }

  add(place: number, count = 1): void {
    this.move();
    const index = (this.step % STEPS) * this.size + place;
    this.rows[index] = (this.rows[index] ?? 0) + count;
    this.sums[place] = (this.sums[place] ?? 0) + count;
  }

  total(place: number): number {
    this.move();
    return this.sums[place] ?? 0;
  }

  clear(): void {
    this.rows.fill(0);
    this.sums.fill(0);
  }

  /** Lets go of what is older than a minute. */
  private move(): void {
    const now = this.now();
    if (now === this.step) return;
    if (now < this.step) {
      // What was counted grows no younger, nor does it wait for the clock to come there again.
      this.setBack += this.step - now;
      return;
    }
    const passed = Math.min(now - this.step, STEPS);
    for (let ahead = 1; ahead <= passed; ahead++) this.empty((this.step + ahead) % STEPS);
    this.step = now;
  }

  private empty(row: number): void {
    for (let place = 0; place < this.size; place++) {
      const index = row * this.size + place;
      this.sums[place] = (this.sums[place] ?? 0) - (this.rows[index] ?? 0);
      this.rows[index] = 0;
    }
  }

  private now(): number {
    return Math.floor(this.clock.now() / STEP_MS) + this.setBack;
  }
}
