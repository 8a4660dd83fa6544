/** A budget as it is configured, complete. */
import type { BudgetRule } from "../../src/cost/budget/scopes.ts";

/** Hard, for a day, and about everything unless something else is said. */
export function budgetOf(fields: Partial<BudgetRule> = {}): BudgetRule {
  return {
    name: "team",
    limitUsd: 1,
    per: "day",
    tenant: "",
    key: "",
    provider: "",
    model: "",
    tags: {},
    each: [],
    mode: "hard",
    warnAt: [0.5, 0.8, 1],
    ...fields,
  };
}
