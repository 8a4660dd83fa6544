/** The limiters of providers and of their models, kept over all reloads. */
import type { Clock } from "../core/clock.ts";
import { Limiter, type LimitRule } from "./limiter.ts";

/** A limit of a target: the model is empty for the provider as a whole. */
export interface Limit {
  readonly provider: string;
  readonly model: string;
  readonly rule: LimitRule;
}

export class Limiters {
  private readonly clock: Clock;
  private readonly known = new Map<string, { readonly limit: Limit; readonly limiter: Limiter }>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The one for this limit, which holds from now on. */
  of(limit: Limit): Limiter {
    const key = `${limit.provider}/${limit.model}`;
    const limiter = this.known.get(key)?.limiter ?? new Limiter(this.clock, limit.rule);
    limiter.keep(limit.rule);
    this.known.set(key, { limit, limiter });
    return limiter;
  }

  *all(): Iterable<{ readonly limit: Limit; readonly limiter: Limiter }> {
    yield* this.known.values();
  }
}
