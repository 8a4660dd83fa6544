/** Keeps the call's own `timeout_ms`, over all that is tried for it: waits, retries and other targets included. */
import { Bounded } from "../core/bounded.ts";
import type { Call, Layer } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import { endAfter } from "../core/reply.ts";

export function deadline<C extends Call = Call>(clock: Clock): Layer<C> {
  return (next) => async (call) => {
    const { timeoutMs } = call.request;
    if (timeoutMs === undefined) return next(call);
    const bounded = new Bounded(call.signal, clock);
    bounded.limit(
      timeoutMs,
      () => new Failure("deadline_exceeded", `not finished within timeout_ms, ${timeoutMs} ms`),
    );
    const deadlineAtMs = Math.min(call.deadlineAtMs ?? Number.POSITIVE_INFINITY, clock.now() + timeoutMs);
    try {
      const reply = await next({ ...call, signal: bounded.signal, deadlineAtMs });
      return { ...reply, events: endAfter(reply.events, () => bounded.end()) };
    } catch (error) {
      bounded.end();
      throw error;
    }
  };
}
