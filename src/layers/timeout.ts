/**
 * Bounds the wait for a provider: for the whole of a unary call; for the first
 * event, between events, and in all for a stream. A slow caller's time is not counted.
 */
import { Bounded } from "../core/bounded.ts";
import { isBatch, type Layer, type RoutedCall, type Target } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
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
    const { provider } = call.target;
    const usual = of(call.target);
    const limits = wished(usual, call);
    const bounded = new Bounded(call.signal, clock);
    const whole = isBatch(call) ? BATCH_MS : call.streaming ? limits.streamMs : limits.totalMs;
    bounded.limit(whole, () => late(`${provider} did not finish within ${whole} ms`));
    try {
      if (!call.streaming) {
        const reply = await next({ ...call, signal: bounded.signal });
        bounded.end();
        return reply;
      }
      const { firstEventMs, idleMs } = limits;
      const first = bounded.limit(firstEventMs, () =>
        late(`${provider} said nothing for ${firstEventMs} ms`, firstEventMs < usual.firstEventMs),
      );
      const reply = await next({ ...call, signal: bounded.signal });
      first.cancel();
      const silent = () =>
        late(`${provider} fell silent for ${idleMs} ms within a stream`, idleMs < usual.idleMs);
      return { events: watch(reply.events, bounded, idleMs, silent) };
    } catch (error) {
      bounded.end();
      throw error;
    }
  };
}

/** The request may want less time than the configuration allows. */
function wished(limits: Timeouts, { request }: RoutedCall): Timeouts {
  if (request.$typeName !== "llmgateway.v1.ChatRequest" || !request.resilience) return limits;
  const { firstEventTimeoutMs, idleTimeoutMs } = request.resilience;
  return {
    ...limits,
    firstEventMs: Math.min(limits.firstEventMs, firstEventTimeoutMs ?? limits.firstEventMs),
    idleMs: Math.min(limits.idleMs, idleTimeoutMs ?? limits.idleMs),
  };
}

async function* watch(
  events: AsyncIterable<Batch>,
  bounded: Bounded,
  idleMs: number,
  silent: () => Failure,
): AsyncGenerator<Batch> {
  let waiting = true;
  const idle = bounded.after(idleMs, () => {
    if (waiting) bounded.abort(silent());
  });
  try {
    for await (const batch of events) {
      waiting = false;
      yield batch;
      waiting = true;
      idle.refresh();
    }
  } finally {
    bounded.end();
  }
}

function late(text: string, impatient = false): Failure {
  return new Failure("provider_timeout", text, { impatient });
}
