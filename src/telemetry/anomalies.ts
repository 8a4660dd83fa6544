/** Spend that is out of the usual, in the metrics: gauges that are read when they are asked for, and a count. */
import { Counter, Gauge, type Registry } from "prom-client";

export interface SpendView {
  /** What the last hour that was judged was to be expected to cost; all together without a provider. */
  readonly baselines: readonly { readonly provider: string; readonly model: string; readonly usd: number }[];
  /** What is out of the usual now. */
  readonly anomalies: readonly {
    readonly kind: string;
    readonly provider: string;
    readonly model: string;
  }[];
}

/** @returns counts one that begins */
export function showSpend(registry: Registry, view: () => SpendView): (kind: string) => void {
  const registers = [registry];
  new Gauge({
    name: "llm_cost_baseline_usd",
    help: "US dollars that the last closed hour was to be expected to cost; provider and model are empty for all together.",
    labelNames: ["provider", "model"],
    registers,
    collect() {
      this.reset();
      for (const { usd, ...labels } of view().baselines) this.set(labels, usd);
    },
  });
  new Gauge({
    name: "llm_cost_anomaly",
    help: "1 while spend is out of the usual; provider and model are empty for all together.",
    labelNames: ["kind", "provider", "model"],
    registers,
    collect() {
      this.reset();
      for (const { kind, provider, model } of view().anomalies) this.set({ kind, provider, model }, 1);
    },
  });
  const begun = new Counter({
    name: "llm_cost_anomalies_total",
    help: "Times that spend began to be out of the usual. Every replica counts all of them.",
    labelNames: ["kind"],
    registers,
  });
  return (kind) => begun.inc({ kind });
}
