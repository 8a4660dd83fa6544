/**
 * Who waits for money that others hold: a line for each counter, in order of arrival, of which the first alone asks.
 * It does not know what is asked.
 */
import type { Clock, Timer } from "../../core/clock.ts";
import type { Counter } from "./counters.ts";

export interface Place {
  /**
   * Until it is worth asking: something came back, it is time to look, or the wait is over.
   *
   * @throws the signal's reason
   */
  turn(): Promise<void>;
  /** Lets the next one ask. To leave again does nothing. */
  leave(): void;
}

export interface Waiting {
  readonly signal: AbortSignal;
  /** When asking for the last time is due, whoever stands before. */
  readonly untilMs: number;
  /** How long the first waits at most before it asks again by itself; undefined when all that comes back is told. */
  readonly pollMs: (() => number) | undefined;
}

export class Lines {
  private readonly clock: Clock;
  private readonly lines = new Map<string, Set<Waiter>>();
  private count = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** How many wait. */
  get size(): number {
    return this.count;
  }

  /** The first of these counters for which somebody waits already. */
  busy(counters: readonly Counter[]): Counter | undefined {
    if (this.count === 0) return undefined;
    return counters.find(({ key, hard }) => hard && this.lines.has(key));
  }

  join({ key }: Counter, waiting: Waiting): Place {
    const line = this.lines.get(key) ?? new Set();
    this.lines.set(key, line);
    const waiter = new Waiter(this.clock, waiting, () => first(line) === waiter);
    line.add(waiter);
    this.count++;
    // What came back between its asking and its joining woke nobody.
    if (line.size === 1) waiter.wake();
    return {
      turn: () => waiter.turn(),
      leave: () => {
        if (!line.delete(waiter)) return;
        this.count--;
        if (line.size === 0) this.lines.delete(key);
        first(line)?.wake();
      },
    };
  }

  /** Money came back to these. */
  wake(counters: readonly Counter[]): void {
    if (this.count === 0) return;
    for (const { key } of counters) first(this.lines.get(key))?.wake();
  }

  /** What holds has changed. */
  wakeAll(): void {
    for (const line of this.lines.values()) first(line)?.wake();
  }
}

function first(line: ReadonlySet<Waiter> | undefined): Waiter | undefined {
  return line?.values().next().value;
}

class Waiter {
  private readonly clock: Clock;
  private readonly waiting: Waiting;
  private readonly isFirst: () => boolean;
  /** Was woken while it was awake. */
  private called = false;
  private proceed: (() => void) | undefined;

  constructor(clock: Clock, waiting: Waiting, isFirst: () => boolean) {
    this.clock = clock;
    this.waiting = waiting;
    this.isFirst = isFirst;
  }

  wake(): void {
    if (this.proceed) this.proceed();
    else this.called = true;
  }

  turn(): Promise<void> {
    const { signal, untilMs, pollMs } = this.waiting;
    signal.throwIfAborted();
    if (this.called) {
      this.called = false;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const timers: Timer[] = [];
      const end = (act: () => void) => {
        this.proceed = undefined;
        signal.removeEventListener("abort", left);
        for (const timer of timers) timer.cancel();
        act();
      };
      const left = () => end(() => reject(signal.reason));
      const proceed = () => end(resolve);
      this.proceed = proceed;
      signal.addEventListener("abort", left, { once: true });
      timers.push(this.clock.after(Math.max(0, untilMs - this.clock.now()), proceed));
      if (pollMs && this.isFirst()) timers.push(this.clock.after(pollMs(), proceed));
    });
  }
}
