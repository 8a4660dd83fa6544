/** Where budgets stand, as gauges that are read when they are asked for. It counts nothing itself. */
import { Gauge, type Registry } from "prom-client";

/** What is shown of one budget, for one value of its `each`. */
export interface Standing {
  readonly budget: string;
  /** Empty for a budget without `each`. */
  readonly scope: string;
  readonly limitUsd: number;
  readonly spentUsd: number;
  readonly reservedUsd: number;
}

const GAUGES = [
  ["llm_budget_limit_usd", "US dollars that may be spent in the budget's time.", "limitUsd"],
  ["llm_budget_spent_usd", "US dollars spent of it.", "spentUsd"],
  ["llm_budget_reserved_usd", "US dollars of it held ready for calls under way.", "reservedUsd"],
] as const;

export function showBudgets(registry: Registry, standings: () => readonly Standing[]): void {
  for (const [name, help, figure] of GAUGES) {
    new Gauge({
      name,
      help,
      labelNames: ["budget", "scope"],
      registers: [registry],
      collect() {
        this.reset();
        for (const standing of standings())
          this.set({ budget: standing.budget, scope: standing.scope }, standing[figure]);
      },
    });
  }
}
