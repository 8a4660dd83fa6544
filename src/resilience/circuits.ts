/** The circuits of all providers and of their models, kept over all reloads. */
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Target } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { tellsOfModelAlone, tellsOfProvider } from "../core/failure.ts";
import { nameOf } from "../core/target.ts";
import { Circuit, type CircuitRule, type State } from "./circuit.ts";

/** Models of the catalog are fewer. Beyond it those go that are as usual. */
const MAX_MODELS = 1_000;

const TIMEOUTS: ReadonlySet<string> = new Set(["provider_timeout", "stream_too_slow"]);

/** Told of a circuit that changed; the model is empty for the provider as a whole. */
export type OnChange = (provider: string, model: string, state: State) => void;

export class Circuits {
  private readonly clock: Clock;
  private readonly onChange: OnChange;
  private readonly providers = new Map<string, Circuit>();
  private readonly models = new Map<string, { readonly target: Target; readonly circuit: Circuit }>();
  /** Streams that spoke and are not over, and how to have them counted so no more. */
  private readonly speaking = new Map<Attempt, () => void>();

  constructor(clock: Clock, onChange: OnChange) {
    this.clock = clock;
    this.onChange = onChange;
  }

  provider(name: string): Circuit {
    const known = this.providers.get(name);
    if (known) return known;
    const circuit = new Circuit(this.clock, (state) => this.onChange(name, "", state));
    this.providers.set(name, circuit);
    return circuit;
  }

  /** Undefined for a model of which nothing is known yet. */
  model(target: Target): Circuit | undefined {
    return this.models.get(nameOf(target))?.circuit;
  }

  /** That of a model, made where there is none. */
  ofModel(target: Target): Circuit {
    const known = this.model(target);
    if (known) return known;
    const { provider, model } = target;
    const circuit = new Circuit(this.clock, (state) => this.onChange(provider, model, state));
    if (this.models.size >= MAX_MODELS) this.forgetOne();
    this.models.set(nameOf(target), { target: { provider, model }, circuit });
    return circuit;
  }

  /** The worse of the two, for whoever chooses among targets. */
  stateOf(target: Target): State {
    const provider = this.providers.get(target.provider)?.state ?? "closed";
    const model = this.model(target)?.state ?? "closed";
    return provider === "open" || model === "open" ? "open" : provider === "closed" ? model : provider;
  }

  /** Whether it is half open, and the next call would find out whether it serves again. */
  awaitsProbe(target: Target): boolean {
    const provider = this.providers.get(target.provider);
    const notClosed = [provider, this.model(target)].filter((one) => one && one.state !== "closed");
    return notClosed.length > 0 && notClosed.every((one) => one?.awaitsProbe);
  }

  /** Whether nothing is sent to it now. */
  refuses(target: Target, rule: CircuitRule): boolean {
    const provider = this.providers.get(target.provider);
    return (provider?.refuses(rule) ?? false) || (this.model(target)?.refuses(rule) ?? false);
  }

  /** To be told of each attempt when it is sent. */
  sent(attempt: Attempt): void {
    for (const circuit of this.judging(attempt)) circuit.sent(attempt);
  }

  /**
   * To be told of a stream when it has brought its first word.
   *
   * @param signal ends it, also where nobody reads on
   */
  spoke(attempt: Attempt, signal: AbortSignal): void {
    if (signal.aborted || attempt.outcome !== "pending" || this.speaking.has(attempt)) return;
    const circuits = this.judging(attempt, true);
    const end = () => {
      signal.removeEventListener("abort", end);
      if (this.speaking.delete(attempt)) for (const circuit of circuits) circuit.fellSilent();
    };
    this.speaking.set(attempt, end);
    signal.addEventListener("abort", end, { once: true });
    for (const circuit of circuits) {
      circuit.heard(attempt);
      circuit.spoke();
    }
  }

  /**
   * To be told of each attempt once, when it has ended. What the caller did wrong or gave up tells nothing.
   *
   * @param saysNothing of how its provider serves now: its caller did not want to wait for as long as the provider may
   *   take, or it was taken long ago
   */
  settled(attempt: Attempt, rule: CircuitRule, saysNothing = false): void {
    const { outcome, failureKind } = attempt;
    const ok = outcome === "ok";
    const circuits = this.judging(attempt, ok);
    for (const circuit of circuits) circuit.heard(attempt);
    this.speaking.get(attempt)?.();
    if (saysNothing || (!ok && (outcome !== "failed" || !tellsOfProvider(failureKind)))) return;
    const end = ok ? "ok" : TIMEOUTS.has(failureKind) ? "timeout" : "failure";
    const provider = tellsOfModelAlone(failureKind) ? this.provider(attempt.provider) : undefined;
    for (const circuit of circuits) if (circuit !== provider) circuit.count(end, rule);
  }

  /** Every circuit of a model that there is. */
  *ofModels(): Iterable<{ readonly target: Target; readonly circuit: Circuit }> {
    yield* this.models.values();
  }

  /** Its provider's, and its model's where there is one or may be one. */
  private judging(attempt: Attempt, served = false): readonly Circuit[] {
    // Callers can make up names without end, which nobody serves and no catalog prices.
    const known = served || attempt.priceVersion !== "";
    const model = known ? this.ofModel(attempt) : this.model(attempt);
    const provider = this.provider(attempt.provider);
    return model ? [provider, model] : [provider];
  }

  private forgetOne(): void {
    for (const [key, { circuit }] of this.models) {
      if (circuit.state !== "closed" || circuit.mode !== "automatic") continue;
      this.models.delete(key);
      return;
    }
  }
}
