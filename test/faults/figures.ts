/** What a fault came to, in figures, and as a table for people. */
import type { Books } from "../money/books.ts";
import { meteredBy, providerOf } from "../money/exchanges.ts";
import { costOf } from "../money/prices.ts";
import type { End } from "./calls.ts";
import type { Played } from "./play.ts";
import { SICK } from "./world.ts";

export interface Figures {
  readonly calls: number;
  /** Attempts at the provider that is hurt which it did not serve. */
  readonly injected: number;
  readonly failed: number;
  /** Attempts besides the first of each call. */
  readonly extraCalls: number;
  /** Metered for what was no answer, in pico-USD. */
  readonly extraPicoUsd: bigint;
}

export function figuresOf({ ends, books }: Played): Figures {
  const marks = new Set(ends.map(({ mark }) => mark));
  const attempts = books.attempts.filter(({ mark }) => marks.has(mark));
  return {
    calls: ends.length,
    injected: attempts.filter(({ provider, outcome }) => provider === SICK && outcome !== "ok").length,
    failed: ends.filter(failed).length,
    extraCalls: attempts.length - new Set(attempts.map(({ callId }) => callId)).size,
    extraPicoUsd: unansweredPicoUsd(books),
  };
}

export function failed({ kind }: End): boolean {
  return kind !== "";
}

function unansweredPicoUsd({ exchanges, attempts }: Books): bigint {
  const metered = exchanges.reduce(
    (sum, one) => sum + (costOf(providerOf(one), one.model, meteredBy([one])) ?? 0n),
    0n,
  );
  const answered = attempts.filter(({ outcome }) => outcome === "ok");
  return metered - answered.reduce((sum, { costPicoUsd = 0n }) => sum + costPicoUsd, 0n);
}

export interface Line {
  readonly name: string;
  readonly without: Figures;
  readonly with: Figures;
}

const HEAD = ["fault", "calls", "faults met", "failed without", "failed with", "extra calls", "extra $"];

/** In Markdown; each figure of the run with the policies, but for the failures without. */
export function tableOf(lines: readonly Line[]): string {
  const rows = lines.map(({ name, without, with: those }) => [
    name,
    String(those.calls),
    String(those.injected),
    String(without.failed),
    String(those.failed),
    String(those.extraCalls),
    (Number(those.extraPicoUsd) / 1e12).toFixed(6),
  ]);
  const widths = HEAD.map((_, at) => Math.max(...[HEAD, ...rows].map((row) => row[at]?.length ?? 0), 3));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(" | ")} |`;
  const rule = widths.map((width, at) => (at === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [line(HEAD), line(rule), ...rows.map(line)].join("\n");
}
