/** The limiters of providers and of their models, kept over all reloads. */
import type { Clock } from "../core/clock.ts";
import { nameOf } from "../core/target.ts";
import { Limiter, type LimitRule } from "./limiter.ts";

/** A limit of a target: the model is empty for the provider as a whole. */
export interface Limit {
  readonly provider: string;
  readonly model: string;
  readonly rule: LimitRule;
}

/** Of a limit that the configuration has no more: whoever waits goes on, and those under way are counted still. */
const LIFTED: LimitRule = {
  maxInFlight: Number.POSITIVE_INFINITY,
  maxQueued: 0,
  maxWaitMs: 0,
  adaptive: false,
};

export class Limiters {
  private readonly clock: Clock;
  private readonly known = new Map<string, { readonly limit: Limit; readonly limiter: Limiter }>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The one for this limit, which holds from now on. */
  of(limit: Limit): Limiter {
    const key = nameOf(limit);
    const limiter = this.known.get(key)?.limiter ?? new Limiter(this.clock, limit.rule);
    limiter.keep(limit.rule);
    this.known.set(key, { limit, limiter });
    return limiter;
  }

  /** Lifts all others. */
  only(limiters: ReadonlySet<Limiter>): void {
    for (const { limiter } of this.known.values()) if (!limiters.has(limiter)) limiter.keep(LIFTED);
  }

  /** Those that hold. */
  *all(): Iterable<{ readonly limit: Limit; readonly limiter: Limiter }> {
    for (const known of this.known.values()) if (Number.isFinite(known.limiter.limit)) yield known;
  }
}
