/** One round of calls under chaos, from the first call to the books that it left behind. */
import { expect, vi } from "vitest";
import { samplesOf } from "../support/exposition.ts";
import { Home } from "../support/home.ts";
import type { Books, BudgetState } from "./books.ts";
import { makeCalls } from "./callers.ts";
import type { Plan } from "./plans.ts";
import { metricsOf, startEmulatorProcess } from "./rig.ts";
import { readLedger } from "./sqlite.ts";

/** A hundred tokens a second, as quick models write: so what an aborted stream had said by then means something. */
const PACE_MS = 10;
/** Of requests that get a fault. */
const CHAOS = 0.3;
const REST_MS = 10_000;
/** About every call, and never in the way of one: a hard one would refuse models without a price. */
const BUDGET = { name: "all", limit_usd: 1_000, per: "month", mode: "soft" };

export interface Round {
  readonly plans: readonly Plan[];
  /** What the gateway is configured with beside its providers. */
  configOf?(emulatorUrl: string): object;
  /** Looks at the gateway once all is over, before it is stopped. */
  look?(gatewayUrl: string): Promise<void>;
}

/** @param seed of the chaos */
export async function playRound(seed: number, { plans, configOf = () => ({}), look }: Round): Promise<Books> {
  await using emulator = await startEmulatorProcess({ chaos: CHAOS, "pace-ms": PACE_MS, seed });
  using home = new Home(emulator.url);
  await using gateway = await home.start({ budgets: [BUDGET], ...configOf(emulator.url) });
  const receipts = await makeCalls(gateway.url, plans);
  const rest = async () => {
    expect((await emulator.totals()).open).toBe(0);
    expect(inFlight(await metricsOf(gateway))).toBe(0);
  };
  await vi.waitFor(rest, { timeout: REST_MS });
  const metrics = await metricsOf(gateway);
  await look?.(gateway.url);
  // What waits to be written is written then.
  expect(await gateway.stop()).toBe(0);
  const rows = readLedger(home.data);
  return { exchanges: await emulator.exchanges(), ...rows, receipts, metrics, budgets: budgetsIn(metrics) };
}

function budgetsIn(metrics: string): BudgetState[] {
  const reserved = samplesOf(metrics, "llm_budget_reserved_usd");
  return Object.entries(samplesOf(metrics, "llm_budget_spent_usd")).map(([name, spentUsd]) => ({
    name,
    spentPicoUsd: pico(spentUsd),
    reservedPicoUsd: pico(reserved[name] ?? 0),
  }));
}

/** A double is exact enough for some thousands of dollars. */
function pico(usd: number): bigint {
  return BigInt(Math.round(usd * 1e12));
}

function inFlight(metrics: string): number {
  const gauges = [...metrics.matchAll(/^llm_requests_in_flight\{.*\} (\d+)$/gm)];
  return gauges.reduce((sum, [, value]) => sum + Number(value), 0);
}
