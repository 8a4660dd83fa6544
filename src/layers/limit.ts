/** Bounds the calls under way at a provider and at each of its models; others wait for a place, each caller's in turn. */
import { isBatch, type Layer, type RoutedCall, type Service, type Target } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure, toFailure } from "../core/failure.ts";
import { endAfter, type Reply } from "../core/reply.ts";
import { type Limiter, Place, type Refusal, Refused } from "../resilience/limiter.ts";

export interface TargetLimit {
  /** Who is limited, for people: a provider, or a provider and model. */
  readonly name: string;
  readonly target: Target;
  readonly limiter: Limiter;
}

export interface LimitMeans {
  /** The model's limit before the provider's, where there are such; empty for none. */
  limitsOf(target: Target): readonly TargetLimit[];
  readonly clock: Clock;
  /** Told of a call that had to wait, once it has a place at each. */
  onWaited(call: RoutedCall, waitedMs: number): void;
  onRefused(limit: TargetLimit, reason: Refusal): void;
}

export function limit(means: LimitMeans): Layer<RoutedCall> {
  return (next) => (call) => {
    const limits = means.limitsOf(call.target);
    // What a provider answers within a day must not hold a place for so long.
    return limits.length === 0 || isBatch(call) ? next(call) : within(limits, call, next, means);
  };
}

async function within(
  limits: readonly TargetLimit[],
  call: RoutedCall,
  next: Service<RoutedCall>,
  means: LimitMeans,
): Promise<Reply> {
  const { clock } = means;
  const places = await enter(limits, call, means);
  const leave = () => {
    call.signal.removeEventListener("abort", leave);
    for (const place of places) place.leave();
  };
  // A reply that nobody reads gives its places back when its caller is gone.
  call.signal.addEventListener("abort", leave, { once: true });
  if (call.signal.aborted) {
    leave();
    throw call.signal.reason;
  }
  const underWay = limits.map(({ limiter }) => limiter.inFlight);
  const sentAtMs = clock.now();
  try {
    const reply = await next(call);
    const tookMs = clock.now() - sentAtMs;
    const kind = call.streaming ? `${call.target.model} streamed` : call.target.model;
    limits.forEach(({ limiter }, index) => {
      limiter.took(kind, tookMs, underWay[index] ?? 0);
    });
    if (call.streaming) return { ...reply, events: endAfter(reply.events, leave) };
    leave();
    return reply;
  } catch (error) {
    const { kind, impatient } = toFailure(error);
    if (TOO_MUCH.has(kind) && !impatient) for (const { limiter } of limits) limiter.overloaded();
    leave();
    throw error;
  }
}

const TOO_MUCH: ReadonlySet<string> = new Set([
  "provider_rate_limited",
  "provider_overloaded",
  "provider_timeout",
]);

/** All limits are entered in one order, so that no two calls wait for each other. */
async function enter(limits: readonly TargetLimit[], call: RoutedCall, means: LimitMeans): Promise<Place[]> {
  const { clock } = means;
  const places: Place[] = [];
  const askedAtMs = clock.now();
  const wish = {
    caller: `${call.context.tenant}/${call.context.principal}`,
    signal: call.signal,
    deadlineAtMs: call.deadlineAtMs,
    patient: call.trigger !== "hedge",
  };
  for (const limit of limits) {
    try {
      const place = limit.limiter.enter(wish);
      places.push(place instanceof Place ? place : await place);
    } catch (error) {
      for (const place of places) place.leave();
      throw error instanceof Refused ? refusal(limit, error, means) : error;
    }
  }
  const waitedMs = clock.now() - askedAtMs;
  if (waitedMs > 0) means.onWaited(call, waitedMs);
  return places;
}

function refusal(limit: TargetLimit, { reason, retryAfterMs }: Refused, means: LimitMeans): Failure {
  means.onRefused(limit, reason);
  const { name, limiter } = limit;
  const full = `${limiter.inFlight} of at most ${limiter.limit} calls to ${name} are under way`;
  const why = {
    full,
    queue_full: `${full}, and ${limiter.queued} wait`,
    wait: `${full}, and none ended in time`,
    late: `${full}, and ${limiter.queued} wait: there would be no place before the deadline`,
  }[reason];
  return new Failure("concurrency_limited", why, { retryAfterMs });
}
