/**
 * Finds the row that stands for each exchange: one of the same call at the same target. Where several would do, those
 * are taken that fit best all together. It judges nothing.
 */
import type { AttemptRow } from "./books.ts";
import { type Exchange, type Matched, providerOf } from "./exchanges.ts";
import { begins, leftOver, misfit, sameTokens } from "./misfit.ts";

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
    const rows = isSplit(theirs, ours)
      ? theirs.map((exchange) => ours.findLast((row) => begins(row, exchange)) ?? ours[0])
      : fitting(theirs, ours);
    const groups = Map.groupBy([...theirs.entries()], ([at]) => rows[at]);
    for (const [row, entries] of groups) {
      const those = entries.map(([, exchange]) => exchange);
      if (row) matched.push({ mark: row.mark, exchanges: those, row });
      else unbooked.push(...those);
    }
  }
  const seen = new Set(matched.map(({ row }) => row));
  return { matched, unbooked, unseen: attempts.filter((row) => !seen.has(row)) };
}

function keyOf(mark: string, provider: string, model: string): string {
  return `${mark}|${provider}/${model}`;
}

/** Whether texts went out in several requests for one row: it then has what none of them has alone. */
function isSplit(exchanges: readonly Exchange[], ours: readonly AttemptRow[]): boolean {
  const whole = (row: AttemptRow) => exchanges.some((one) => sameTokens(row, one));
  return ours.some(
    (row) =>
      row.operation === "embeddings" &&
      (exchanges.length > ours.length ||
        (row.outcome === "ok" && row.provenance === "measured" && !whole(row))),
  );
}

/** Of each exchange, undefined where there are too few. */
function fitting(exchanges: readonly Exchange[], ours: readonly AttemptRow[]): (AttemptRow | undefined)[] {
  // By which rows are taken, one bit for each: there are a few at most.
  let best = new Map<number, Fit>([[0, { misfit: 0, rows: [] }]]);
  for (const exchange of exchanges) {
    const next = new Map<number, Fit>();
    const offer = (taken: number, fit: Fit) => {
      if (fit.misfit < (next.get(taken)?.misfit ?? Number.POSITIVE_INFINITY)) next.set(taken, fit);
    };
    for (const [taken, before] of best) {
      offer(taken, { misfit: before.misfit + UNBOOKED, rows: [...before.rows, undefined] });
      for (const [at, row] of ours.entries())
        if ((taken & (1 << at)) === 0)
          offer(taken | (1 << at), {
            misfit: before.misfit + misfit(row, exchange),
            rows: [...before.rows, row],
          });
    }
    best = next;
  }
  const all = [...best.values()].map(({ misfit, rows }) => ({
    misfit: ours.reduce((sum, row) => sum + (rows.includes(row) ? 0 : leftOver(row)), misfit),
    rows,
  }));
  return [...all.reduce((a, b) => (b.misfit < a.misfit ? b : a)).rows];
}

interface Fit {
  readonly misfit: number;
  readonly rows: readonly (AttemptRow | undefined)[];
}

/** More than any misfit: a row for each exchange, as far as there are rows. */
const UNBOOKED = 1_000;
