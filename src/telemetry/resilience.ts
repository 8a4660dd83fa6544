/** How circuits and limits stand, as gauges that are read when they are asked for. It counts nothing itself. */
import { Gauge, type Registry } from "prom-client";

/** A circuit; the model is empty for the provider as a whole. */
export interface CircuitStanding {
  readonly provider: string;
  readonly model: string;
  readonly state: "closed" | "half_open" | "open";
}

export interface LimitStanding {
  readonly provider: string;
  readonly model: string;
  readonly limit: number;
  readonly inFlight: number;
  readonly queued: number;
}

const VALUES = { closed: 0, half_open: 1, open: 2 } as const;

export function showCircuits(registry: Registry, standings: () => readonly CircuitStanding[]): void {
  new Gauge({
    name: "llm_circuit_breaker_state",
    help: "A provider's circuit: 0 closed, 1 half open, 2 open.",
    labelNames: ["provider"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { provider, model, state } of standings()) if (!model) this.set({ provider }, VALUES[state]);
    },
  });
  new Gauge({
    name: "llm_model_circuit_breaker_state",
    help: "A model's circuit, where it is not closed: 1 half open, 2 open.",
    labelNames: ["provider", "model"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { provider, model, state } of standings())
        if (model && state !== "closed") this.set({ provider, model }, VALUES[state]);
    },
  });
}

const GAUGES = [
  ["llm_concurrency_limit", "Calls that may be under way.", "limit"],
  ["llm_concurrency_in_flight", "Calls under way, of those that are limited.", "inFlight"],
  ["llm_concurrency_queued", "Calls that wait for others to end.", "queued"],
] as const;

/** Only of limits that there are; the model is empty for that of a provider. */
export function showLimits(registry: Registry, standings: () => readonly LimitStanding[]): void {
  for (const [name, help, figure] of GAUGES) {
    new Gauge({
      name,
      help,
      labelNames: ["provider", "model"],
      registers: [registry],
      collect() {
        this.reset();
        for (const standing of standings())
          this.set({ provider: standing.provider, model: standing.model }, standing[figure]);
      },
    });
  }
}
