/** Holds the metrics against the rows: what each series has to say, and what it says. */
import { samplesOf } from "../support/exposition.ts";
import type { AttemptRow, Books } from "./books.ts";

/** In words; empty when all agree. */
export function disagreeingMetrics({ attempts, calls, metrics }: Books): string[] {
  const settled = attempts.filter(({ state }) => state === "settled");
  const routes = new Map(calls.map(({ callId, route }) => [callId, route]));
  const tokens = sums(settled, (row) => [
    [`direction="input",${target(row)}`, BigInt(row.inputTokens)],
    [`direction="output",${target(row)}`, BigInt(row.outputTokens)],
  ]);
  const cost = sums(settled, (row) => {
    const series = `model="${modelOf(row)}",provider="${row.provider}",route="${routes.get(row.callId)}"`;
    return row.costPicoUsd === undefined ? [] : [[series, row.costPicoUsd]];
  });
  const unpriced = sums(settled, (row) => (row.costPicoUsd === undefined ? [[target(row), 1n]] : []));
  return [
    ...compare(metrics, "llm_tokens_total", tokens, 1),
    ...compare(metrics, "llm_cost_usd_total", cost, 1e12),
    ...compare(metrics, "llm_unpriced_attempts_total", unpriced, 1),
  ];
}

function target(row: AttemptRow): string {
  return `model="${modelOf(row)}",provider="${row.provider}"`;
}

/** As the gateway bounds its series: a name that nobody knows and that failed makes none. */
function modelOf({ model, priceVersion, outcome }: AttemptRow): string {
  return priceVersion !== "" || outcome === "ok" ? model : "unknown";
}

type Addends = readonly (readonly [series: string, amount: bigint])[];

function sums(rows: readonly AttemptRow[], of: (row: AttemptRow) => Addends): Map<string, bigint> {
  const totals = new Map<string, bigint>();
  for (const [series, amount] of rows.flatMap(of)) totals.set(series, (totals.get(series) ?? 0n) + amount);
  return totals;
}

/** @param scale units of an addend in one of the metric: a float near enough to an integer of them is that integer */
function compare(text: string, metric: string, sums: ReadonlyMap<string, bigint>, scale: number): string[] {
  const samples = samplesOf(text, metric);
  const differences: string[] = [];
  for (const series of new Set([...sums.keys(), ...Object.keys(samples)])) {
    const counted = Math.round((samples[series] ?? 0) * scale);
    const booked = sums.get(series) ?? 0n;
    if (BigInt(counted) !== booked) differences.push(`${metric}{${series}} is ${counted}, booked ${booked}`);
  }
  return differences;
}
