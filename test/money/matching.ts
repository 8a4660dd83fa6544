/**
 * Finds the row that stands for each exchange: one of the same call at the same target. Where several would do, what
 * became of both tells, and then when they began. It judges nothing.
 */
import { type AttemptRow, bookedFor } from "./books.ts";
import { type Exchange, type Matched, meteredBy, providerOf } from "./exchanges.ts";
import type { Tokens } from "./prices.ts";

export interface Matching {
  readonly matched: readonly Matched[];
  /** That have no row. */
  readonly unbooked: readonly Exchange[];
  /** For attempts that no provider saw. */
  readonly unseen: readonly AttemptRow[];
}

export function match(exchanges: readonly Exchange[], attempts: readonly AttemptRow[]): Matching {
  const metered = Map.groupBy(exchanges, (one) => keyOf(one.mark ?? "", providerOf(one), one.model));
  const booked = Map.groupBy(attempts, ({ mark, provider, model }) => keyOf(mark, provider, model));
  const matched: Matched[] = [];
  const unbooked: Exchange[] = [];
  for (const [key, theirs] of metered) {
    const ours = (booked.get(key) ?? []).toSorted(
      (a, b) => a.startedAtMs - b.startedAtMs || a.number - b.number,
    );
    const inOrder = theirs.toSorted((a, b) => a.startedAtMs - b.startedAtMs);
    const rows = ours.some(({ operation }) => operation === "embeddings")
      ? inOrder.map((exchange) => ours.findLast((row) => begins(row, exchange)) ?? ours[0])
      : rowsOf(inOrder, ours);
    const groups = Map.groupBy(inOrder, (exchange) => rows[inOrder.indexOf(exchange)]);
    for (const [row, those] of groups)
      if (row) matched.push({ mark: row.mark, exchanges: those, row });
      else unbooked.push(...those);
  }
  const seen = new Set(matched.map(({ row }) => row));
  return { matched, unbooked, unseen: attempts.filter((row) => !seen.has(row)) };
}

function keyOf(mark: string, provider: string, model: string): string {
  return `${mark}|${provider}/${model}`;
}

/** Clocks of two processes may read as much apart. */
const SKEW_MS = 5;

function begins({ startedAtMs }: AttemptRow, exchange: Exchange): boolean {
  return startedAtMs <= exchange.startedAtMs + SKEW_MS;
}

/** Of each exchange, undefined where there are too few. */
function rowsOf(exchanges: readonly Exchange[], ours: readonly AttemptRow[]): (AttemptRow | undefined)[] {
  const found = new Map<Exchange, AttemptRow>();
  // Whatever was given up beside it, the answer was served.
  for (const row of ours.filter(({ outcome }) => outcome === "ok")) {
    const served = exchanges.filter((one) => one.outcome === "served" && !found.has(one));
    const its = served.findLast((one) => sameTokens(row, meteredBy([one]))) ?? served.at(-1);
    if (its) found.set(its, row);
  }
  const taken = new Set(found.values());
  const others = exchanges.filter((one) => !found.has(one));
  const left = likelySeen(
    ours.filter((row) => !taken.has(row)),
    others.length,
  );
  const rows = byTime(others, left);
  for (const [at, exchange] of others.entries()) {
    const row = rows[at];
    if (row) found.set(exchange, row);
  }
  return exchanges.map((one) => found.get(one));
}

function sameTokens(row: AttemptRow, metered: Tokens): boolean {
  const { inputTokens, cachedInputTokens, outputTokens } = metered;
  if (row.inputTokens !== inputTokens || row.outputTokens !== outputTokens) return false;
  return row.cachedInputTokens === cachedInputTokens;
}

/** Without what cost nothing, as far as there are more rows than are needed: it may never have been sent. */
function likelySeen(rows: readonly AttemptRow[], needed: number): AttemptRow[] {
  const free = rows.filter((row) => bookedFor(row) === 0n);
  const unsent = new Set(free.slice(0, Math.max(0, rows.length - needed)));
  return rows.filter((row) => !unsent.has(row));
}

/**
 * One of several calls may have been lost with its process before the provider saw it: so each exchange has the latest
 * row that began before it, and leaves as many as others need.
 */
function byTime(exchanges: readonly Exchange[], ours: readonly AttemptRow[]): (AttemptRow | undefined)[] {
  const found = exchanges.map((_, index) => ours[index]);
  let at = ours.length - 1;
  for (let index = Math.min(exchanges.length, ours.length) - 1; index >= 0; index--, at--) {
    const exchange = exchanges[index];
    while (exchange && at > index && !begins(ours[at] as AttemptRow, exchange)) at--;
    found[index] = ours[at];
  }
  return found;
}
