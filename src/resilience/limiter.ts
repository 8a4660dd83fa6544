/** A number of places, and a bounded queue of those who wait for one. It knows neither calls nor targets. */
import type { Clock } from "../core/clock.ts";
import { LastMinute } from "../core/last-minute.ts";
import { FairQueue } from "./fair-queue.ts";
import { Gradient } from "./gradient.ts";

export interface LimitRule {
  /** Most places; 0 for no bound but that of an adaptive limit. */
  readonly maxInFlight: number;
  readonly maxQueued: number;
  readonly maxWaitMs: number;
  readonly adaptive: boolean;
}

export interface Wish {
  /** Who asks: each caller is served in turn. */
  readonly caller: string;
  /** Ends the wait, at its deadline as well. */
  readonly signal: AbortSignal;
  /** When it is no use any more, in milliseconds since the epoch: who cannot be served by then need not wait. */
  readonly deadlineAtMs: number | undefined;
  /** Whether it is worth waiting for. */
  readonly patient: boolean;
}

export type Refusal = "full" | "queue_full" | "wait" | "late";

/** Thrown to those who get no place. */
export class Refused extends Error {
  readonly reason: Refusal;
  /** When one may be free, by how they became free lately. */
  readonly retryAfterMs: number;

  constructor(reason: Refusal, retryAfterMs: number) {
    super(reason);
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Somebody who waits; to be told one of them, once, and taken out of the queue before. */
interface Waiting {
  readonly admit: () => void;
  readonly refuse: (reason: unknown) => void;
}

const MINUTE_MS = 60_000;
const LEAST_RETRY_MS = 1_000;
/** What is counted of places that became free: how many, and for how many milliseconds they were held. */
const FREED = 0;
const HELD_MS = 1;
/** Below so many of them it is not known how long a place is held. */
const FEW = 10;
/** Adaptive limits without a bound of their own begin low and end here. */
const START = 20;
const MOST = 1_000;

export class Limiter {
  private readonly clock: Clock;
  private readonly queue = new FairQueue<Waiting>();
  private readonly lately: LastMinute;
  private readonly gradient = new Gradient(START);
  private rule: LimitRule;
  private held = 0;

  constructor(clock: Clock, rule: LimitRule) {
    this.clock = clock;
    this.rule = rule;
    this.lately = new LastMinute(clock, 2);
  }

  get inFlight(): number {
    return this.held;
  }

  get queued(): number {
    return this.queue.size;
  }

  get limit(): number {
    const { adaptive, maxInFlight } = this.rule;
    return adaptive ? this.gradient.limit(this.most) : maxInFlight;
  }

  /** Takes another rule: those under way go on, and those for whom there is room now are let in. */
  keep(rule: LimitRule): void {
    if (rule === this.rule) return;
    this.rule = rule;
    this.admit();
  }

  /**
   * Resolves with a place, to be given back once.
   *
   * @throws Refused, or the signal's reason when it has aborted or does so while waiting
   */
  enter(wish: Wish): Promise<Place> | Place {
    wish.signal.throwIfAborted();
    if (this.held < this.limit && this.queue.size === 0) return this.place();
    if (!wish.patient) throw new Refused("full", this.retryAfterMs);
    const isFull = this.queue.size >= this.rule.maxQueued;
    // One who fills the queue must not keep the others out of it.
    const hog = isFull ? this.queue.hogFor(wish.caller) : undefined;
    if (isFull && hog === undefined) throw new Refused("queue_full", this.retryAfterMs);
    if (this.isTooLate(wish)) throw new Refused("late", this.retryAfterMs);
    if (hog !== undefined) this.queue.takeLast(hog)?.refuse(new Refused("queue_full", this.retryAfterMs));
    return this.wait(wish);
  }

  /**
   * A call that was sent beside so many others got its first word after so long.
   *
   * @param kind of which calls it is one that take about as long
   */
  took(kind: string, ms: number, underWay: number): void {
    if (!this.rule.adaptive) return;
    this.gradient.took(kind, ms, underWay, this.most);
    this.admit();
  }

  /** The other side said that there are too many. */
  overloaded(): void {
    if (this.rule.adaptive) this.gradient.refused(this.most);
  }

  private wait({ caller, signal }: Wish): Promise<Place> {
    return new Promise((resolve, reject) => {
      const end = () => {
        timer.cancel();
        signal.removeEventListener("abort", leave);
      };
      const waiting: Waiting = {
        admit: () => {
          end();
          resolve(this.place());
        },
        refuse: (reason) => {
          end();
          reject(reason);
        },
      };
      const giveUp = (reason: () => unknown) => {
        if (this.queue.remove(caller, waiting)) waiting.refuse(reason());
      };
      const leave = () => giveUp(() => signal.reason);
      const timer = this.clock.after(this.rule.maxWaitMs, () =>
        giveUp(() => new Refused("wait", this.retryAfterMs)),
      );
      signal.addEventListener("abort", leave, { once: true });
      this.queue.add(caller, waiting);
    });
  }

  private place(): Place {
    this.held++;
    const sinceMs = this.clock.now();
    return new Place(() => {
      this.held--;
      this.lately.add(FREED);
      this.lately.add(HELD_MS, this.clock.now() - sinceMs);
      this.admit();
    });
  }

  private admit(): void {
    while (this.held < this.limit) {
      const next = this.queue.take();
      if (!next) return;
      next.admit();
    }
  }

  /**
   * Whether its turn comes after its deadline, if places are held as long as lately. That does not hang on how many
   * asked for one, as the rate does at which they became free; and the turn is the earliest that it may have.
   */
  private isTooLate({ caller, deadlineAtMs }: Wish): boolean {
    const freed = this.lately.total(FREED);
    if (deadlineAtMs === undefined || freed < FEW) return false;
    const heldMs = this.lately.total(HELD_MS) / freed;
    const waitMs = (this.queue.turnOf(caller) * heldMs) / this.limit;
    return this.clock.now() + waitMs >= deadlineAtMs;
  }

  private get most(): number {
    return this.rule.maxInFlight || MOST;
  }

  private get retryAfterMs(): number {
    const freed = this.lately.total(FREED);
    const waitMs = freed === 0 ? LEAST_RETRY_MS : ((this.queue.size + 1) / freed) * MINUTE_MS;
    return Math.round(Math.min(Math.max(waitMs, LEAST_RETRY_MS), MINUTE_MS));
  }
}

/** Given back once, however often that is asked. */
export class Place {
  private free: (() => void) | undefined;

  constructor(free: () => void) {
    this.free = free;
  }

  leave(): void {
    const { free } = this;
    this.free = undefined;
    free?.();
  }
}
