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
  readonly signal: AbortSignal;
  /** When it is no use any more, in milliseconds since the epoch. */
  readonly deadlineAtMs: number | undefined;
  /** Whether it is worth waiting for. */
  readonly patient: boolean;
}

export type Refusal = "full" | "queue_full" | "wait";

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

const MINUTE_MS = 60_000;
const LEAST_RETRY_MS = 1_000;
/** Adaptive limits without a bound of their own begin low and end here. */
const START = 20;
const MOST = 1_000;

export class Limiter {
  private readonly clock: Clock;
  private readonly queue = new FairQueue<() => void>();
  private readonly freed: LastMinute;
  private readonly gradient = new Gradient(START);
  private rule: LimitRule;
  private held = 0;

  constructor(clock: Clock, rule: LimitRule) {
    this.clock = clock;
    this.rule = rule;
    this.freed = new LastMinute(clock, 1);
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
   * @throws Refused, or the signal's reason when it aborts while waiting
   */
  enter(wish: Wish): Promise<Place> | Place {
    if (this.held < this.limit && this.queue.size === 0) return this.place();
    if (!wish.patient) throw new Refused("full", this.retryAfterMs);
    if (this.queue.size >= this.rule.maxQueued) throw new Refused("queue_full", this.retryAfterMs);
    return this.wait(wish);
  }

  /** A call that was sent beside so many others got its first word after so long. */
  took(ms: number, underWay: number): void {
    if (!this.rule.adaptive) return;
    this.gradient.took(ms, underWay, this.most);
    this.admit();
  }

  /** The other side said that there are too many. */
  overloaded(): void {
    if (this.rule.adaptive) this.gradient.refused(this.most);
  }

  private wait({ caller, signal, deadlineAtMs }: Wish): Promise<Place> {
    const { maxWaitMs } = this.rule;
    const leftMs = deadlineAtMs === undefined ? maxWaitMs : deadlineAtMs - this.clock.now();
    return new Promise((resolve, reject) => {
      const end = () => {
        timer.cancel();
        signal.removeEventListener("abort", leave);
      };
      const admitted = () => {
        end();
        resolve(this.place());
      };
      const leave = () => {
        if (!this.queue.remove(caller, admitted)) return;
        end();
        reject(signal.reason);
      };
      const timer = this.clock.after(Math.max(0, Math.min(maxWaitMs, leftMs)), () => {
        if (!this.queue.remove(caller, admitted)) return;
        end();
        reject(new Refused("wait", this.retryAfterMs));
      });
      signal.addEventListener("abort", leave, { once: true });
      this.queue.add(caller, admitted);
    });
  }

  private place(): Place {
    this.held++;
    return new Place(() => {
      this.held--;
      this.freed.add(0);
      this.admit();
    });
  }

  private admit(): void {
    while (this.held < this.limit) {
      const next = this.queue.take();
      if (!next) return;
      next();
    }
  }

  private get most(): number {
    return this.rule.maxInFlight || MOST;
  }

  private get retryAfterMs(): number {
    const freed = this.freed.total(0);
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
