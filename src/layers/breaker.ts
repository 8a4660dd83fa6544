/**
 * Sends nothing to a provider or a model that fails, but for single calls that find out whether it serves again. What
 * became of attempts is told to the circuits where they are settled.
 */
import type { Layer, RoutedCall, Service } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure, tellsOfProvider, toFailure } from "../core/failure.ts";
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

async function probe(call: RoutedCall, next: Service<RoutedCall>, ends: Probe): Promise<Reply> {
  const { provider, asProvider, model, asModel, rule } = ends;
  try {
    const reply = await next(call);
    provider.proved(asProvider, rule);
    model?.proved(asModel, rule);
    return reply;
  } catch (error) {
    tell(toFailure(error), ends);
    throw error;
  }
}

interface Probe {
  readonly provider: Circuit;
  readonly asProvider: Admission;
  readonly model: Circuit | undefined;
  readonly asModel: Admission;
  readonly rule: CircuitRule;
}

function tell({ kind, outcome }: Failure, { provider, asProvider, model, asModel, rule }: Probe): void {
  if (outcome === "failed" && tellsOfProvider(kind)) {
    provider.refuted(asProvider, rule);
    model?.refuted(asModel, rule);
  } else {
    provider.released(asProvider);
    model?.released(asModel);
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
