/**
 * Holds the books against each other: what the provider metered, what was booked, what callers were told, what the
 * metrics count. A pure function of them: it asks nobody, and prices by arithmetic of its own.
 */
import { type AttemptRow, type Books, bookedFor, type CallRow } from "./books.ts";
import { type Exchange, type Matched, meteredBy } from "./exchanges.ts";
import { match } from "./matching.ts";
import { disagreeingMetrics } from "./metrics.ts";
import { costOf } from "./prices.ts";
import { tableOf } from "./table.ts";

export interface Disagreement {
  readonly kind: Kind;
  readonly mark: string;
  readonly detail: string;
}

export type Kind =
  | "no row"
  | "a row too many"
  | "measured, but not as metered"
  | "below what was metered"
  | "a cost that is not known"
  | "a cost where there is no price"
  | "a sum that is not its parts"
  | "a receipt that differs"
  | "a call that differs"
  | "a metric that differs"
  | "a budget that differs"
  | "left open";

/** What a crash may not bring about. What callers and metrics were told in their last moments went with the process. */
export const GRAVE: readonly Kind[] = [
  "no row",
  "measured, but not as metered",
  "below what was metered",
  "a cost that is not known",
  "a sum that is not its parts",
  "left open",
];

export interface Agreement {
  /** For people: by provider and by how the exchange ended, with what was metered, what was booked, and the error. */
  readonly table: string;
  readonly disagreements: readonly Disagreement[];
}

type Report = (kind: Kind, mark: string, detail: string) => void;

export function agreement(books: Books): Agreement {
  const disagreements: Disagreement[] = [];
  const report: Report = (kind, mark, detail) => disagreements.push({ kind, mark, detail });
  const { matched, unbooked, unseen } = match(books.exchanges, books.attempts);
  for (const { mark = "", model, outcome, path } of unbooked)
    report("no row", mark, `${model} ${outcome} at ${path}`);
  // What never reached the provider can only be free or a guess.
  for (const row of unseen) checkUnseen(row, report);
  for (const one of matched) checkAttempt(one, report);
  for (const row of books.attempts) checkRow(row, report);
  checkCalls(books, report);
  checkReceipts(books, report);
  for (const detail of disagreeingMetrics(books)) report("a metric that differs", "", detail);
  checkBudgets(books, report);
  return { table: tableOf(matched, books.attempts), disagreements };
}

function checkUnseen(row: AttemptRow, report: Report): void {
  const free = row.costPicoUsd === 0n && row.outcome !== "ok";
  if (free || row.provenance !== "measured") return;
  report("a row too many", row.mark, `attempt ${row.number} of ${row.callId}, ${row.outcome}`);
}

function checkAttempt({ mark, exchanges, row }: Matched, report: Report): void {
  const [exchange] = exchanges;
  if (!exchange) return;
  const metered = meteredBy(exchanges);
  const cost = costOf(row.provider, row.model, metered);
  if (cost === undefined) {
    const free = row.costPicoUsd === 0n && metered.inputTokens === 0;
    if (row.costPicoUsd !== undefined && !free)
      report("a cost where there is no price", mark, `${row.model} for ${row.costPicoUsd}`);
    return;
  }
  if (row.state === "open") return;
  const booked = bookedFor(row);
  const how = `${row.provider}/${row.model}, ${exchange.fault ?? "no fault"}, ${exchange.outcome}, ${row.outcome}`;
  const told = `booked ${tokensOf(row)} = ${booked}, metered ${tokensOf(metered)} = ${cost}; ${how}`;
  if (booked === undefined) report("a cost that is not known", mark, told);
  else if (row.provenance === "measured") {
    if (booked !== cost || tokensOf(row) !== tokensOf(metered))
      report("measured, but not as metered", mark, told);
  } else if (booked < cost && !isWhole(exchanges, row)) report("below what was metered", mark, told);
}

/** Of an answer that came whole, and was not counted by its provider, the likeliest figure is booked; of others the most. */
function isWhole(exchanges: readonly Exchange[], row: AttemptRow): boolean {
  return row.outcome === "ok" && exchanges.every(({ outcome }) => outcome === "served");
}

function tokensOf(of: {
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
}): string {
  return `${of.inputTokens} in (${of.cachedInputTokens} cached) + ${of.outputTokens} out`;
}

/** By itself: settled, and the sum of its parts. */
function checkRow(row: AttemptRow, report: Report): void {
  const { mark, lineItems = [], costPicoUsd } = row;
  if (row.state === "open")
    report("left open", mark, `attempt ${row.number}, ${row.reservedPicoUsd} reserved`);
  if (lineItems.length === 0) return;
  const sum = lineItems.reduce((total, { picoUsd }) => total + picoUsd, 0n);
  const wrong = lineItems.find(({ count, unitPicoUsd, picoUsd }) => count * unitPicoUsd !== picoUsd);
  if (sum !== costPicoUsd || wrong)
    report("a sum that is not its parts", mark, `${costPicoUsd} of ${sum} in items`);
}

function checkCalls({ calls, attempts }: Books, report: Report): void {
  const rows = Map.groupBy(attempts, ({ callId }) => callId);
  const known = new Map<string, CallRow>();
  for (const call of calls) {
    const theirs = rows.get(call.callId) ?? [];
    const costs = theirs.map(({ costPicoUsd }) => costPicoUsd);
    const cost = costs.includes(undefined) ? undefined : costs.reduce((sum = 0n, one = 0n) => sum + one, 0n);
    if (known.has(call.callId)) report("a call that differs", call.mark, `${call.callId} is told twice`);
    else if (theirs.length !== call.attempts || cost !== call.costPicoUsd) {
      const told = `${call.attempts} attempts for ${call.costPicoUsd}`;
      report("a call that differs", call.mark, `${told}, but rows: ${theirs.length} for ${cost}`);
    }
    known.set(call.callId, call);
  }
  for (const [callId, [row]] of rows)
    if (!known.has(callId) && row?.state === "settled")
      report("a call that differs", row.mark, `${callId} is told nowhere`);
}

function checkReceipts({ receipts, attempts }: Books, report: Report): void {
  const rows = new Map(attempts.map((row) => [`${row.mark}/${row.number}`, row]));
  for (const { mark, receipt } of receipts) {
    for (const { number, outcome, usage, actualPicoUsd } of receipt.attempts) {
      // The ledger has the last word on what was still ending.
      if (outcome === "pending") continue;
      const row = rows.get(`${mark}/${number}`);
      const told = usage && `${tokensOf(usage)} = ${actualPicoUsd}, ${usage.provenance}`;
      const booked = row && `${tokensOf(row)} = ${row.costPicoUsd}, ${row.provenance}`;
      if (told !== booked)
        report("a receipt that differs", mark, `attempt ${number}: told ${told}, booked ${booked}`);
    }
  }
}

function checkBudgets({ budgets = [], attempts }: Books, report: Report): void {
  const booked = attempts.reduce((sum, row) => sum + (bookedFor(row) ?? 0n), 0n);
  for (const { name, spentPicoUsd, reservedPicoUsd } of budgets) {
    if (reservedPicoUsd !== 0n) report("left open", "", `budget ${name} holds ${reservedPicoUsd} back`);
    // Shared budgets count whole billionths of a dollar, rounded up for every attempt.
    const most = booked + 1_000n * BigInt(attempts.length);
    if (spentPicoUsd < booked || spentPicoUsd > most)
      report("a budget that differs", "", `${name} spent ${spentPicoUsd}, and ${booked} was booked`);
  }
}
