/**
 * Sums of what was spent, as SQL that both engines read: from whole days, from the hours at their edges, from the rows
 * that are in no sum yet, and from what was adjusted. It knows no connection.
 */
import { type Failure, invalidRequest } from "../core/failure.ts";
import { hoursOf } from "../core/hours.ts";
import {
  type Dimension,
  MAX_GROUPS,
  type UsageFilter,
  type UsageQuery,
  type UsageSums,
} from "../core/usage-store.ts";
import {
  ATTEMPT_SUMS,
  beginOf,
  CALL_SUMS,
  DAY_MS,
  firstDayFrom,
  GRAINS,
  type Grain,
  latencyColumns,
} from "./hours.ts";
import { storedFilter } from "./rows.ts";

/** In what the engines differ. */
export interface Dialect {
  /** The value of a tag, or null; the parameter is what `tagName` makes of its name. */
  tag(parameter: string): string;
  tagName(name: string): string;
  /** The sum of amounts as text, beyond 64 bits too: of one number, or of thousandths of dollars and the rest. */
  total(amount: string): string;
}

export interface Statement {
  readonly text: string;
  /** Of `$1` and so on. */
  readonly values: readonly (string | number)[];
}

/** The values of a statement as they come up in its text. */
export class Values {
  readonly list: (string | number)[] = [];

  add(value: string | number): string {
    return `$${this.list.push(value)}`;
  }
}

/** In how many thousandths of a dollar `Dialect.total` may tell a sum. */
export const SPLIT = 1_000_000_000n;

const COUNTS = [...Object.keys(ATTEMPT_SUMS.counts), ...Object.keys(CALL_SUMS.counts)];
/** What is booked beside the rows, and so is in no sum of them. */
const ADJUSTED = "adjustment_pico_usd";
const AMOUNTS = [...Object.keys(ATTEMPT_SUMS.amounts), ...Object.keys(CALL_SUMS.amounts), ADJUSTED];
const FILTERED = ["tenant", "principal", "provider", "model", "route", "operation"] as const;
/** Each source has at most one row for a group. */
const SOURCES = 5;

/** Rows of groups, counts and amounts, as `foldSums` reads them; a group may be in several. */
export function usageQuery({ groupBy, filter, ...period }: UsageQuery, dialect: Dialect): Statement {
  const values = new Values();
  const { sinceMs, untilMs } = hoursOf(period);
  const [since, until] = [values.add(sinceMs), values.add(untilMs)];
  const days = groupBy.includes("hour") ? undefined : daysWithin(sinceMs, untilMs);
  const where = conditionsOf(filter, values, dialect);
  const groups = groupBy.map((dimension) => groupOf(dimension, values, dialect));
  const select = (source: Source, condition: string) => {
    const columns = [
      ...groups.map((group) => group(source.time)),
      ...COUNTS.map((name) => source.count(name)),
      ...AMOUNTS.map((name) => dialect.total(source.amount(name))),
    ];
    const by = groups.length > 0 ? `GROUP BY ${groups.map((_, index) => index + 1).join()}` : "";
    return `SELECT ${columns.join()} FROM ${source.table} WHERE ${[condition, ...where].join(" AND ")} ${by} HAVING count(*) > 0`;
  };
  const begun = `rolled_up = false AND started_at_ms >= ${since} AND started_at_ms < ${until}`;
  const selects = [
    select(rows("attempts", ATTEMPT_SUMS), `${begun} AND state <> 'open'`),
    select(rows("calls", CALL_SUMS), begun),
    select(ADJUSTMENTS, `hour_ms >= ${since} AND hour_ms < ${until}`),
  ];
  if (days) {
    const [first, end] = [values.add(days.firstMs), values.add(days.endMs)];
    selects.push(
      select(sums("day"), `day_ms >= ${first} AND day_ms < ${end}`),
      select(
        sums("hour"),
        `(hour_ms >= ${since} AND hour_ms < ${first} OR hour_ms >= ${end} AND hour_ms < ${until})`,
      ),
    );
  } else selects.push(select(sums("hour"), `hour_ms >= ${since} AND hour_ms < ${until}`));
  return { text: `${selects.join("\nUNION ALL ")}\nLIMIT ${SOURCES * MAX_GROUPS + 1}`, values: values.list };
}

/** @throws Failure when there are too many groups */
export function foldSums(rows: readonly (readonly unknown[])[], groupBy: readonly Dimension[]): UsageSums[] {
  const groups = new Map<string, { group: string[]; counts: number[]; amounts: bigint[] }>();
  for (const row of rows) {
    const group = groupBy.map((dimension, index) => nameOf(dimension, row[index]));
    const counts = row.slice(groupBy.length, groupBy.length + COUNTS.length).map(Number);
    const amounts = row.slice(groupBy.length + COUNTS.length).map(amountOf);
    const key = JSON.stringify(group);
    const known = groups.get(key);
    if (known) {
      counts.forEach((count, index) => {
        known.counts[index] = (known.counts[index] ?? 0) + count;
      });
      amounts.forEach((amount, index) => {
        known.amounts[index] = (known.amounts[index] ?? 0n) + amount;
      });
    } else if (groups.size < MAX_GROUPS) groups.set(key, { group, counts, amounts });
    else throw tooMany();
  }
  return [...groups.values()].map(({ group, counts, amounts }) => {
    const count = (name: string) => counts[COUNTS.indexOf(name)] ?? 0;
    const amount = (name: string) => amounts[AMOUNTS.indexOf(name)] ?? 0n;
    return {
      group,
      attempts: count("attempts"),
      ok: count("ok"),
      failed: count("failed"),
      abandoned: count("abandoned"),
      unknown: count("unknown"),
      estimated: count("estimated"),
      unpriced: count("unpriced"),
      inputTokens: count("input_tokens"),
      cachedInputTokens: count("cached_input_tokens"),
      cacheWriteTokens: count("cache_write_tokens"),
      outputTokens: count("output_tokens"),
      reasoningTokens: count("reasoning_tokens"),
      costPicoUsd: amount("cost_pico_usd"),
      estimatedPicoUsd: amount("estimated_pico_usd"),
      unknownPicoUsd: amount("unknown_pico_usd"),
      requests: count("requests"),
      errors: count("errors"),
      cachedRequests: count("cached_requests"),
      savedPicoUsd: amount("saved_pico_usd"),
      adjustmentPicoUsd: amount(ADJUSTED),
      latencies: latencyColumns().map(count),
    };
  });
}

/** What a filter asks of a row of any table. */
export function conditionsOf(filter: UsageFilter, values: Values, dialect: Dialect): string[] {
  const { columns, tags } = storedFilter(filter);
  return [
    ...FILTERED.flatMap((name) => {
      const value = columns[name];
      return value === undefined ? [] : [`${name} = ${values.add(value)}`];
    }),
    ...Object.entries(tags).map(
      ([name, value]) =>
        `coalesce(${dialect.tag(values.add(dialect.tagName(name)))}, '') = ${values.add(value)}`,
    ),
  ];
}

interface Source {
  readonly table: string;
  /** When what is in a row began. */
  readonly time: string;
  count(name: string): string;
  /** By row. */
  amount(name: string): string;
}

function sums(grain: Grain): Source {
  const { table, at } = GRAINS[grain];
  return {
    table,
    time: at,
    count: (name) => `coalesce(sum(${name}), 0)`,
    amount: (name) => (name === ADJUSTED ? "0" : name),
  };
}

const ADJUSTMENTS: Source = {
  table: "adjustments",
  time: "hour_ms",
  count: () => "0",
  amount: (name) => (name === ADJUSTED ? name : "0"),
};

function rows(
  table: string,
  {
    counts,
    amounts,
  }: { counts: Readonly<Record<string, string>>; amounts: Readonly<Record<string, string>> },
): Source {
  return {
    table,
    time: "started_at_ms",
    count: (name) => counts[name] ?? "0",
    amount: (name) => amounts[name] ?? "0",
  };
}

function daysWithin(sinceMs: number, untilMs: number): { firstMs: number; endMs: number } | undefined {
  const firstMs = firstDayFrom(sinceMs);
  const endMs = Math.floor(untilMs / DAY_MS) * DAY_MS;
  return firstMs < endMs ? { firstMs, endMs } : undefined;
}

function groupOf(dimension: Dimension, values: Values, dialect: Dialect): (time: string) => string {
  if (dimension === "hour" || dimension === "day") return (time) => beginOf(dimension, time);
  const column = dimension.startsWith("tag:")
    ? `coalesce(${dialect.tag(values.add(dialect.tagName(dimension.slice("tag:".length))))}, '')`
    : dimension === "key"
      ? "principal"
      : dimension;
  return () => column;
}

function nameOf(dimension: Dimension, value: unknown): string {
  if (dimension === "hour") return new Date(Number(value)).toISOString().replace(".000", "");
  if (dimension === "day") return new Date(Number(value)).toISOString().slice(0, "2026-08-01".length);
  return String(value);
}

/** What `Dialect.total` tells. */
export function amountOf(text: unknown): bigint {
  const [upper = "0", lower] = String(text).split(":");
  return lower === undefined ? BigInt(upper) : BigInt(upper) * SPLIT + BigInt(lower);
}

function tooMany(): Failure {
  const description = `makes more than ${MAX_GROUPS} groups; ask for a shorter time, or by less`;
  return invalidRequest([{ field: "group_by", description }]);
}
