/** What came of a comparison, as a table for people or as JSON. */
import { exact } from "../reprice.ts";
import { table } from "../table.ts";
import type { Cell } from "./compare.ts";
import { QUANTITIES, type Quantity } from "./export.ts";
import { type Difference, KINDS } from "./kinds.ts";

export interface Outcome {
  readonly provider: string;
  readonly days: readonly string[];
  readonly tolerance: number;
  readonly cells: readonly Cell[];
  readonly differences: readonly Difference[];
}

/** As they are called in the contract. */
const NAMES: Readonly<Record<Quantity, string>> = {
  requests: "requests",
  inputTokens: "input_tokens",
  cachedInputTokens: "cached_input_tokens",
  cacheWriteTokens: "cache_write_tokens",
  outputTokens: "output_tokens",
  costPicoUsd: "cost_pico_usd",
};
const HEAD = ["MODEL", "DAYS", "WHAT", "LEDGER", "PROVIDER", "MORE", "LIKELY"];

export function asTable({ days, tolerance, cells, differences }: Outcome): string {
  const rows = differences.flatMap(({ kind, model, cells: own }) =>
    offOf(own).map((quantity, index) => {
      const [ledger, provider] = sums(own, quantity);
      const amounts = [ledger, provider, provider - ledger].map((amount) => shown(amount, quantity));
      const first = index === 0;
      const named = first ? [model || "all", span(own)] : ["", ""];
      return [...named, NAMES[quantity].replace("_pico", ""), ...amounts, first ? kind : ""];
    }),
  );
  const compared = `${days[0]} to ${days.at(-1)}: ${cells.length} days of models compared, `;
  const verdict =
    differences.length === 0
      ? `all within ${tolerance * 100} %\n`
      : `${differences.length === 1 ? "1 difference" : `${differences.length} differences`} beyond ${tolerance * 100} %\n`;
  const adjusted = adjustedOf(cells);
  const note =
    adjusted === 0n ? "" : `The ledger's cost is what was booked and adjustments of ${exact(adjusted)}.\n`;
  if (differences.length === 0) return note + compared + verdict;
  const kinds = [...new Set(differences.map(({ kind }) => kind))];
  return `${table(HEAD, rows)}\n${kinds.map((kind) => `${kind}: ${KINDS[kind]}\n`).join("")}\n${note}${compared}${verdict}`;
}

export function asJson({ provider, days, tolerance, cells, differences }: Outcome): string {
  const told = {
    provider,
    since: days[0],
    last_day: days.at(-1),
    tolerance,
    compared: cells.length,
    adjustment_pico_usd: String(adjustedOf(cells)),
    differences: differences.map(({ kind, model, cells: own }) => ({
      kind,
      model,
      explanation: KINDS[kind],
      days: own.map((cell) => ({
        day: cell.day,
        model: cell.model,
        off: cell.off.map((quantity) => NAMES[quantity]),
        ledger: amountsOf(cell, cell.ledger),
        adjustment_pico_usd: String(cell.ledger.adjustmentPicoUsd),
        provider: amountsOf(cell, cell.provider),
      })),
    })),
  };
  return `${JSON.stringify(told, undefined, 2)}\n`;
}

/** As text, since a double does not hold every amount. */
function amountsOf({ told }: Cell, amounts: Readonly<Record<Quantity, bigint>>) {
  return Object.fromEntries(told.map((quantity) => [NAMES[quantity], String(amounts[quantity])]));
}

/** Of the costs that are compared, each once: an export may tell them by model and all together. */
function adjustedOf(cells: readonly Cell[]): bigint {
  const costs = cells.filter(({ told }) => told.includes("costPicoUsd"));
  const named = costs.filter(({ model }) => model !== "");
  return (named.length > 0 ? named : costs).reduce((sum, { ledger }) => sum + ledger.adjustmentPicoUsd, 0n);
}

function offOf(cells: readonly Cell[]): Quantity[] {
  return QUANTITIES.filter((quantity) => cells.some(({ off }) => off.includes(quantity)));
}

function sums(cells: readonly Cell[], quantity: Quantity): [bigint, bigint] {
  const total = (side: "ledger" | "provider") => cells.reduce((sum, cell) => sum + cell[side][quantity], 0n);
  return [total("ledger"), total("provider")];
}

function shown(amount: bigint, quantity: Quantity): string {
  return quantity === "costPicoUsd" ? exact(amount) : String(amount);
}

function span(cells: readonly Cell[]): string {
  const days = [...new Set(cells.map(({ day }) => day))];
  return days.length > 2 ? `${days[0]} to ${days.at(-1)} (${days.length})` : days.join(", ");
}
