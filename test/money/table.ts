/** The meter test's result for people: what was metered and what was booked, and how far an estimate is off. */
import { type AttemptRow, bookedFor } from "./books.ts";
import { type Matched, meteredBy, providerOf } from "./exchanges.ts";
import { costOf } from "./prices.ts";

interface Line {
  exchanges: number;
  rows: number;
  measured: number;
  estimated: number;
  meteredPicoUsd: bigint;
  bookedPicoUsd: bigint;
}

export function tableOf(matched: readonly Matched[], rows: readonly AttemptRow[]): string {
  const lines = new Map<string, Line>();
  const all = emptyLine();
  for (const { exchanges, row } of matched) {
    const [exchange] = exchanges;
    if (!exchange) continue;
    const key = `${providerOf(exchange).padEnd(10)}${exchange.outcome}`;
    const line = lines.get(key) ?? emptyLine();
    lines.set(key, line);
    for (const one of [line, all]) {
      one.exchanges += exchanges.length;
      one.rows += 1;
      one[row.provenance === "measured" ? "measured" : "estimated"] += 1;
      one.meteredPicoUsd += costOf(row.provider, row.model, meteredBy(exchanges)) ?? 0n;
      one.bookedPicoUsd += bookedFor(row) ?? 0n;
    }
  }
  const seen = new Set(matched.map(({ row }) => row));
  const unseen = rows.filter((row) => !seen.has(row));
  const cells = [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, line]) => cellsOf(key, line));
  const body = [HEAD, ...cells, cellsOf("all", all)].map((line) => line.join("  ")).join("\n");
  return `${body}\n${unseen.length} more rows for attempts that no provider saw\n`;
}

const WIDTHS = [20, 9, 9, 9, 9, 15, 15, 8] as const;

const HEAD = widened([
  "provider  ended",
  "exchanges",
  "rows",
  "measured",
  "estimated",
  "metered $",
  "booked $",
  "error",
]);

function cellsOf(key: string, line: Line): string[] {
  const { meteredPicoUsd, bookedPicoUsd } = line;
  const error = errorOf(Number(meteredPicoUsd), Number(bookedPicoUsd));
  const { exchanges, rows, measured, estimated } = line;
  const counts = [exchanges, rows, measured, estimated].map(String);
  return widened([key, ...counts, dollars(meteredPicoUsd), dollars(bookedPicoUsd), error]);
}

/** Of what was not charged for at all there is no part. */
function errorOf(metered: number, booked: number): string {
  if (metered === booked) return "0";
  if (metered === 0) return "-";
  const percent = 100 * (booked / metered - 1);
  return `${percent > 0 ? "+" : ""}${percent.toFixed(1)} %`;
}

function widened(cells: readonly string[]): string[] {
  return cells.map((cell, index) =>
    index === 0 ? cell.padEnd(WIDTHS[0]) : cell.padStart(WIDTHS[index] ?? 0),
  );
}

function dollars(pico: bigint): string {
  const digits = String(pico).padStart(13, "0");
  return `${digits.slice(0, -12)}.${digits.slice(-12)}`;
}

function emptyLine(): Line {
  return { exchanges: 0, rows: 0, measured: 0, estimated: 0, meteredPicoUsd: 0n, bookedPicoUsd: 0n };
}
