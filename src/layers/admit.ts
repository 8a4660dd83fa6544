/** Who may call how often: a count of requests for each API key, and for each address without one. */
import { BurstyRateLimiter, RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { ANONYMOUS } from "../core/anonymous.ts";
import type { Call, Layer } from "../core/call.ts";
import { Failure } from "../core/failure.ts";

export interface RateLimits {
  /** Requests a minute; 0 is no limit. */
  readonly requestsPerMinute: number;
  /** Requests a minute on top of these, for when they come in bursts. */
  readonly burst: number;
}

const WINDOW_SECONDS = 60;

/** Counts start anew with each limiter, so one is made for each change of the limits, not for each call. */
export function admit(limits: RateLimits): Layer {
  if (limits.requestsPerMinute === 0) return (next) => next;
  const limiter = limiterOf(limits);
  return (next) => async (call) => {
    try {
      tell(call, limits, await limiter.consume(keyOf(call)));
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      tell(call, limits, refusal);
      const seconds = Math.ceil(refusal.msBeforeNext / 1000);
      throw new Failure(
        "rate_limited",
        `more than ${limits.requestsPerMinute} requests a minute; try again in ${seconds} s`,
        { retryAfterMs: refusal.msBeforeNext },
      );
    }
    return next(call);
  };
}

function limiterOf({ requestsPerMinute, burst }: RateLimits) {
  const steady = new RateLimiterMemory({ points: requestsPerMinute, duration: WINDOW_SECONDS });
  if (burst === 0) return steady;
  return new BurstyRateLimiter(
    steady,
    new RateLimiterMemory({ keyPrefix: "burst", points: burst, duration: WINDOW_SECONDS }),
  );
}

/** Names of keys are those of their tenant. */
function keyOf({ context: { principal, tenant, peer } }: Call): string {
  return principal === ANONYMOUS ? `ip:${peer}` : `key:${tenant}/${principal}`;
}

function tell({ context }: Call, limits: RateLimits, state: RateLimiterRes): void {
  context.replyHeaders.set("ratelimit-limit", String(limits.requestsPerMinute));
  context.replyHeaders.set("ratelimit-remaining", String(Math.max(0, state.remainingPoints)));
  context.replyHeaders.set("ratelimit-reset", String(Math.ceil(state.msBeforeNext / 1000)));
}
