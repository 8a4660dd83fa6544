/**
 * Bounds the wait for a provider: for the whole of a unary call; for the first
 * event, between events, and in all for a stream. A slow caller's time is not counted.
 */
import { isBatch, type Layer, type RoutedCall, type Target } from "../core/call.ts";
import type { Clock, Timer } from "../core/clock.ts";
import { Failure, type FailureKind } from "../core/failure.ts";
import type { Batch } from "../core/reply.ts";

export interface Timeouts {
  readonly totalMs: number;
  readonly firstEventMs: number;
  readonly idleMs: number;
  readonly streamMs: number;
}

/** Providers have a day for a batch, and some time to tell that it is over. */
const BATCH_MS = 25 * 3_600_000;

export function timeout(of: (target: Target) => Timeouts, clock: Clock): Layer<RoutedCall> {
  return (next) => async (call) => {
    const limits = of(call.target);
    const bounded = new Bounded(call.signal, clock);
    const whole = isBatch(call) ? BATCH_MS : call.streaming ? limits.streamMs : limits.totalMs;
    bounded.limit(whole, "provider_timeout", `${call.target.provider} did not finish within ${whole} ms`);
    const wish = call.request.timeoutMs;
    if (wish !== undefined)
      bounded.limit(wish, "deadline_exceeded", `not finished within timeout_ms, ${wish} ms`);
    try {
      if (!call.streaming)
        return await next({ ...call, signal: bounded.signal }).then((reply) => {
          bounded.end();
          return reply;
        });
      const silence = `${call.target.provider} said nothing for ${limits.firstEventMs} ms`;
      const first = bounded.limit(limits.firstEventMs, "provider_timeout", silence);
      const reply = await next({ ...call, signal: bounded.signal });
      first.cancel();
      return { events: bounded.watch(reply.events, limits.idleMs, call.target.provider) };
    } catch (error) {
      bounded.end();
      throw error;
    }
  };
}

/** A signal that the caller's signal or a timer aborts, whichever is first. */
class Bounded {
  private readonly parent: AbortSignal;
  private readonly clock: Clock;
  private readonly controller = new AbortController();
  private readonly timers: Timer[] = [];
  private readonly onParent = () => this.controller.abort(this.parent.reason);

  constructor(parent: AbortSignal, clock: Clock) {
    this.parent = parent;
    this.clock = clock;
    if (parent.aborted) this.onParent();
    else parent.addEventListener("abort", this.onParent, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  limit(ms: number, kind: FailureKind, text: string): Timer {
    const timer = this.clock.after(ms, () => this.controller.abort(new Failure(kind, text)));
    this.timers.push(timer);
    return timer;
  }

  async *watch(events: AsyncIterable<Batch>, idleMs: number, provider: string): AsyncGenerator<Batch> {
    let waiting = true;
    const idle = this.clock.after(idleMs, () => {
      if (!waiting) return;
      const text = `${provider} fell silent for ${idleMs} ms within a stream`;
      this.controller.abort(new Failure("provider_timeout", text));
    });
    this.timers.push(idle);
    try {
      for await (const batch of events) {
        waiting = false;
        yield batch;
        waiting = true;
        idle.refresh();
      }
    } finally {
      this.end();
    }
  }

  end(): void {
    for (const timer of this.timers) timer.cancel();
    this.parent.removeEventListener("abort", this.onParent);
  }
}
