/** Time that stands still until a test moves it. Timers run in the order in which they are due. */
import { type Clock, systemClock, type Timer } from "../../src/core/clock.ts";

interface Pending {
  dueMs: number;
  /** Tells apart those due at once: the earlier started goes first. */
  order: number;
}

export class VirtualClock implements Clock {
  private nowMs: number;
  private steppedMs = 0;
  private started = 0;
  private readonly waiting = new Map<() => void, Pending>();

  constructor(startMs = 1_000_000) {
    this.nowMs = startMs;
  }

  now(): number {
    return this.nowMs + this.steppedMs;
  }

  /** Sets the time of day, forward as it is after a pause too, or back: timers keep what they have to wait. */
  step(ms: number): void {
    this.steppedMs += ms;
  }

  after(delayMs: number, action: () => void): Timer {
    // Of its own, so that one action may be started twice.
    const run = () => action();
    let cancelled = false;
    const start = () => {
      // As the system's timers: a refresh starts one anew that has run, but none that was cancelled.
      if (!cancelled) this.waiting.set(run, { dueMs: this.nowMs + delayMs, order: this.started++ });
    };
    start();
    return {
      refresh: start,
      cancel: () => {
        cancelled = true;
        this.waiting.delete(run);
      },
    };
  }

  /** Timers that have not run. */
  get pending(): number {
    return this.waiting.size;
  }

  /** In how many milliseconds each timer is due that has not run, the earlier started first. */
  get due(): number[] {
    return [...this.waiting.values()].map(({ dueMs }) => dueMs - this.nowMs);
  }

  /** Moves time on; whatever a timer sets off has settled before the next one runs. */
  async advance(ms: number): Promise<void> {
    const end = this.nowMs + ms;
    await settled();
    for (let due = this.next(end); due; due = this.next(end)) {
      const [run, { dueMs }] = due;
      this.nowMs = Math.max(this.nowMs, dueMs);
      this.waiting.delete(run);
      run();
      await settled();
    }
    this.nowMs = end;
  }

  /**
   * Moves time on as in a process that was late: what came meanwhile is sent, and all that is due runs before
   * any of it is read. In a turn of the system's own timers, behind which it reads.
   */
  async lapse(ms: number, meanwhile: () => void): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve));
    meanwhile();
    const end = this.nowMs + ms;
    for (let due = this.next(end); due; due = this.next(end)) {
      this.waiting.delete(due[0]);
      due[0]();
    }
    this.nowMs = end;
  }

  private next(endMs: number): [() => void, Pending] | undefined {
    const due = [...this.waiting].filter(([, { dueMs }]) => dueMs <= endMs);
    return due.sort(([, a], [, b]) => a.dueMs - b.dueMs || a.order - b.order)[0];
  }
}

/** Every promise that can settle without time or input has settled. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Of today in UTC: no day, and so no budget, ends within a test that goes by it. */
export function noon(): number {
  return new Date().setUTCHours(12, 0, 0, 0);
}

/** Real time that goes so many times as fast, for what waits for hours on real sockets. */
export function hastened(times: number, startMs = Date.now()): Clock {
  const begunMs = Date.now();
  return {
    now: () => startMs + (Date.now() - begunMs) * times,
    after: (delayMs, action) => systemClock.after(delayMs / times, action),
  };
}
