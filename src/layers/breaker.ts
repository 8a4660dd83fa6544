/**
 * Sends nothing to a provider or a model that fails, but for single calls that find out whether it serves again. What
 * became of attempts is told to the circuits where they are settled.
 */
import { isBatch, type Layer, type Parked, type RoutedCall, type Service } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure, tellsOfModelAlone, tellsOfProvider, toFailure } from "../core/failure.ts";
import type { Reply } from "../core/reply.ts";
import { nameOf } from "../core/target.ts";
import type { Admission, Circuit, CircuitRule } from "../resilience/circuit.ts";
import type { Circuits } from "../resilience/circuits.ts";

export function breaker(
  circuits: Circuits,
  ruleOf: (provider: string) => CircuitRule,
  clock: Clock,
): Layer<RoutedCall> {
  return (next) => (call) => {
    const { target } = call;
    const rule = ruleOf(target.provider);
    const provider = circuits.provider(target.provider);
    if (call.parking?.parked) return takenUp(call, next, circuits, rule, clock);
    const asProvider = provider.admit(rule);
    if (asProvider === "refused") return Promise.reject(refusal(call, target.provider, provider, clock));
    const model = circuits.model(target);
    const asModel = model?.admit(rule) ?? "call";
    if (model && asModel === "refused") {
      provider.released(asProvider);
      return Promise.reject(refusal(call, nameOf(target), model, clock));
    }
    if (asProvider === "call" && asModel === "call") return next(call);
    return probe(call, next, { provider, asProvider, model, asModel, rule });
  };
}

/** What was sent before and is only waited for, for hours perhaps, tells nothing of who serves now: it is no probe. */
function takenUp(
  call: RoutedCall,
  next: Service<RoutedCall>,
  circuits: Circuits,
  rule: CircuitRule,
  clock: Clock,
): Promise<Reply> {
  const { target } = call;
  const provider = circuits.provider(target.provider);
  if (provider.refuses(rule)) return Promise.reject(refusal(call, target.provider, provider, clock));
  const model = circuits.model(target);
  if (model?.refuses(rule)) return Promise.reject(refusal(call, nameOf(target), model, clock));
  return next(call);
}

async function probe(call: RoutedCall, next: Service<RoutedCall>, admitted: Admitted): Promise<Reply> {
  const probe = new Probe(admitted);
  try {
    const reply = await next(isBatch(call) ? toldWhenParked(call, probe) : call);
    probe.proved();
    return reply;
  } catch (error) {
    probe.failed(toFailure(error));
    throw error;
  }
}

/** A provider that takes a batch serves: its answers may come a day later, for which no probe can be waited for. */
function toldWhenParked(call: RoutedCall, probe: Probe): RoutedCall {
  const { parking } = call;
  if (!parking) return call;
  const park = (parked: Parked) => {
    probe.proved();
    return parking.park(parked);
  };
  return { ...call, parking: { ...parking, park } };
}

interface Admitted {
  readonly provider: Circuit;
  readonly asProvider: Admission;
  readonly model: Circuit | undefined;
  readonly asModel: Admission;
  readonly rule: CircuitRule;
}

/** Tells the circuits once, whatever comes later. */
class Probe {
  private admitted: Admitted | undefined;

  constructor(admitted: Admitted) {
    this.admitted = admitted;
  }

  proved(): void {
    this.tell(({ provider, asProvider, model, asModel, rule }) => {
      provider.proved(asProvider, rule);
      model?.proved(asModel, rule);
    });
  }

  failed({ kind, outcome, impatient }: Failure): void {
    this.tell(({ provider, asProvider, model, asModel, rule }) => {
      if (outcome === "failed" && tellsOfProvider(kind) && !impatient) {
        if (tellsOfModelAlone(kind)) provider.released(asProvider);
        else provider.refuted(asProvider, rule);
        model?.refuted(asModel, rule);
      } else {
        provider.released(asProvider);
        model?.released(asModel);
      }
    });
  }

  private tell(what: (admitted: Admitted) => void): void {
    const { admitted } = this;
    this.admitted = undefined;
    if (admitted) what(admitted);
  }
}

/** Told on the call's span, since who is not asked has no attempt that could tell of it. */
function refusal(
  { target, context }: RoutedCall,
  name: string,
  { mode, times }: Circuit,
  clock: Clock,
): Failure {
  context.span.addEvent("llmgateway.circuit_refused", {
    "gen_ai.provider.name": target.provider,
    "gen_ai.request.model": target.model,
  });
  if (mode === "open")
    return new Failure("circuit_open", `nothing is sent to ${name}: its circuit was opened by hand`);
  const retryAfterMs = Math.max(1_000, (times?.probeAtMs ?? 0) - clock.now());
  return new Failure("circuit_open", `${name} fails, and is left alone until it serves again`, {
    retryAfterMs,
  });
}
