/**
 * What the rows of an hour and of a day come to, as SQL that both engines read. It knows what is summed, and not
 * which rows are due.
 */
import { HOUR_MS } from "../core/hours.ts";
import { LATENCY_BOUNDS_MS, LATENCY_BUCKETS } from "../core/latency.ts";

export const DAY_MS = 24 * HOUR_MS;

/** Days hold what their hours hold, so that a year is summed from days. */
export const GRAINS = {
  hour: { table: "spend_hours", at: "hour_ms", ms: HOUR_MS },
  day: { table: "spend_days", at: "day_ms", ms: DAY_MS },
} as const;

export type Grain = keyof typeof GRAINS;

/** What tells one sum from another within its hour or day, besides its tags. */
export const SUM_KEYS = ["tenant", "principal", "provider", "model", "operation", "route"] as const;

/** What is summed of rows: how rows are counted, and by row what they amount to in pico-USD. */
export interface Summed {
  readonly counts: Readonly<Record<string, string>>;
  readonly amounts: Readonly<Record<string, string>>;
}

/**
 * Of attempts that are over. Times are counted in a column for each bucket: that is the one form that both engines add
 * up by themselves.
 */
export const ATTEMPT_SUMS = {
  counts: {
    attempts: "count(*)",
    ok: "count(*) FILTER (WHERE outcome = 'ok')",
    failed: "count(*) FILTER (WHERE outcome = 'failed')",
    abandoned: "count(*) FILTER (WHERE outcome = 'abandoned')",
    unknown: "count(*) FILTER (WHERE state = 'unknown')",
    estimated: "count(*) FILTER (WHERE provenance = 'estimated')",
    unpriced: "count(*) FILTER (WHERE state = 'settled' AND cost_pico_usd IS NULL)",
    input_tokens: "coalesce(sum(input_tokens), 0)",
    cached_input_tokens: "coalesce(sum(cached_input_tokens), 0)",
    cache_write_tokens: "coalesce(sum(cache_write_tokens), 0)",
    output_tokens: "coalesce(sum(output_tokens), 0)",
    reasoning_tokens: "coalesce(sum(reasoning_tokens), 0)",
    ...latencyCounts(),
  },
  amounts: {
    cost_pico_usd: "coalesce(cost_pico_usd, 0)",
    estimated_pico_usd: "CASE WHEN provenance = 'estimated' THEN coalesce(cost_pico_usd, 0) ELSE 0 END",
    unknown_pico_usd: "CASE WHEN state = 'unknown' THEN coalesce(reserved_pico_usd, 0) ELSE 0 END",
  },
} as const satisfies Summed;

/** Of calls. */
export const CALL_SUMS = {
  counts: {
    requests: "count(*)",
    errors: "count(*) FILTER (WHERE outcome = 'failed')",
    cached_requests: "count(*) FILTER (WHERE outcome = 'ok' AND cache_kind <> '')",
  },
  amounts: { saved_pico_usd: "coalesce(saved_pico_usd, 0)" },
} as const satisfies Summed;

/** What an attempt counts for in what was spent; null when that is not known. */
export const SPENT = "CASE WHEN state = 'settled' THEN cost_pico_usd ELSE reserved_pico_usd END";

/**
 * Adds rows to their hours or days, or takes them out again.
 *
 * @param source a table of rows, or a condition upon one, as it stands behind FROM
 * @param tagsKey the tags, as the sums' key has them
 */
export function bookSums(
  grain: Grain,
  { counts, amounts }: Summed,
  sign: "" | "-",
  source: string,
  tagsKey: string,
): string {
  const { table, at } = GRAINS[grain];
  const names = [...Object.keys(counts), ...Object.keys(amounts)];
  const sums = [...Object.values(counts), ...Object.values(amounts).map((amount) => `sum(${amount})`)];
  return `
    INSERT INTO ${table} (${at}, ${SUM_KEYS.join()}, tags, ${names.join()})
    SELECT ${beginOf(grain, "started_at_ms")}, ${SUM_KEYS.join()}, tags, ${sums.map((sum) => `${sign}${sum}`).join()}
    FROM ${source}
    GROUP BY ${[at, ...SUM_KEYS, "tags"].map((_, index) => index + 1).join()}
    ON CONFLICT (${[at, ...SUM_KEYS, tagsKey].join()})
    DO UPDATE SET ${names.map((name) => `${name} = ${table}.${name} + excluded.${name}`).join()}`;
}

/** From which day on days hold all that began since then; hours do before. */
export function firstDayFrom(sinceMs: number): number {
  return Math.ceil(sinceMs / DAY_MS) * DAY_MS;
}

/** The hour or day that holds a time, by its first millisecond. */
export function beginOf(grain: Grain, time: string): string {
  return `${time} - ${time} % ${GRAINS[grain].ms}`;
}

/** By bucket. */
export function latencyColumns(): string[] {
  return Array.from({ length: LATENCY_BUCKETS }, (_, bucket) => `latency_${String(bucket).padStart(2, "0")}`);
}

/** Of attempts that went well. */
function latencyCounts(): Record<string, string> {
  return Object.fromEntries(
    latencyColumns().map((column, bucket) => {
      const lower = bucket === 0 ? [] : [`latency_ms > ${LATENCY_BOUNDS_MS[bucket - 1]}`];
      const upper = bucket === LATENCY_BUCKETS - 1 ? [] : [`latency_ms <= ${LATENCY_BOUNDS_MS[bucket]}`];
      return [column, `count(*) FILTER (WHERE ${[...lower, ...upper, "outcome = 'ok'"].join(" AND ")})`];
    }),
  );
}
