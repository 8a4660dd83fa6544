/** What budgets are about, against what there is: one that no call can count in holds nobody back, and looks as if it did. */
import { ANONYMOUS, INTERNAL } from "../core/anonymous.ts";
import { keyPath, type Violation } from "../core/strict-json.ts";
import type { CompleteConfig } from "./defaults.ts";
import { notConfigured } from "./names.ts";

/** Amounts are whole trillionths of a dollar. */
const LEAST_USD = 1e-12;
/** What is told in trillionths of a dollar, as 64 bits, and counted on Redis in billionths, as a double. */
const MAX_USD = 9_000_000;

export function budgetViolations(config: CompleteConfig): Violation[] {
  const { budgets, routingPolicies } = config;
  const names = new Set<string>();
  return [
    ...budgets.flatMap((budget, index) => {
      const path = `budgets[${index}]`;
      const isTaken = names.size === names.add(budget.name).size;
      const description = `"${budget.name}" is taken; give every budget its own`;
      return [
        ...(isTaken ? [{ field: `${path}.name`, description }] : []),
        ...amountViolation(`${path}.limit_usd`, budget.limitUsd),
        ...targetViolations(path, budget, config),
      ];
    }),
    ...Object.entries(routingPolicies).flatMap(([name, { maxCostPerRequest }]) =>
      amountViolation(`${keyPath("routing_policies", name)}.max_cost_per_request`, maxCostPerRequest),
    ),
  ];
}

/**
 * Budgets about a key, or a tenant, that nobody has. That is no violation, or a key could not be taken away before all
 * of its budgets are.
 */
export function callerlessBudgets({ budgets, auth }: CompleteConfig) {
  const callers = auth.keys.length > 0 ? auth.keys : [{ name: ANONYMOUS, tenant: INTERNAL }];
  const isCaller = (key: string, tenant: string) =>
    callers.some((one) => (key === "" || key === one.name) && (tenant === "" || tenant === one.tenant));
  return budgets
    .filter(({ key, tenant }) => !isCaller(key, tenant))
    .map(({ name, key, tenant }) => ({ budget: name, key: key || undefined, tenant: tenant || undefined }));
}

function targetViolations(
  path: string,
  { provider, model }: { readonly provider: string; readonly model: string },
  { providers }: CompleteConfig,
): Violation[] {
  if (provider !== "" && !Object.hasOwn(providers, provider))
    return [{ field: `${path}.provider`, description: notConfigured(providers) }];
  const [before = "", ...rest] = model.split("/");
  if (rest.length === 0 || !Object.hasOwn(providers, before)) return [];
  // Some providers' own names for models have a slash as well, and their own name before it, as groq/compound has.
  if (provider !== "" && provider !== before) return [];
  const asked = provider === "" ? Object.keys(providers) : [provider];
  if (asked.some((name) => providers[name]?.kind === "openai_compatible")) return [];
  const description = `is the provider's own name for the model; give provider: ${before} and model: ${rest.join("/")}`;
  return [{ field: `${path}.model`, description }];
}

function amountViolation(field: string, usd = LEAST_USD): Violation[] {
  if (usd < LEAST_USD)
    return [{ field, description: "is less than a trillionth of a dollar, and so nothing" }];
  return usd <= MAX_USD
    ? []
    : [{ field, description: `must be at most ${MAX_USD}, which can be counted exactly` }];
}
