/**
 * What the rows of an hour come to, as SQL that both engines read. It knows what is summed, and not which rows are
 * due.
 */

/** What tells one row of `spend_hours` from another, besides its tags. */
export const HOUR_KEYS = ["hour_ms", "tenant", "principal", "provider", "model", "operation"] as const;

export const HOUR_MS = 3_600_000;

/** By attempt; an hour has the sum. */
const SUMMED = {
  attempts: "1",
  ok: "CASE WHEN outcome = 'ok' THEN 1 ELSE 0 END",
  failed: "CASE WHEN outcome = 'failed' THEN 1 ELSE 0 END",
  abandoned: "CASE WHEN outcome = 'abandoned' THEN 1 ELSE 0 END",
  unknown: "CASE WHEN state = 'unknown' THEN 1 ELSE 0 END",
  estimated: "CASE WHEN provenance = 'estimated' THEN 1 ELSE 0 END",
  unpriced: "CASE WHEN state = 'settled' AND cost_pico_usd IS NULL THEN 1 ELSE 0 END",
  input_tokens: "coalesce(input_tokens, 0)",
  cached_input_tokens: "coalesce(cached_input_tokens, 0)",
  cache_write_tokens: "coalesce(cache_write_tokens, 0)",
  output_tokens: "coalesce(output_tokens, 0)",
  reasoning_tokens: "coalesce(reasoning_tokens, 0)",
  cost_pico_usd: "coalesce(cost_pico_usd, 0)",
  unknown_pico_usd: "CASE WHEN state = 'unknown' THEN coalesce(reserved_pico_usd, 0) ELSE 0 END",
} as const;

/** What an attempt counts for in what was spent; null when that is not known. */
export const SPENT = "CASE WHEN state = 'settled' THEN cost_pico_usd ELSE reserved_pico_usd END";

/**
 * Adds attempts to their hours, or takes them out again.
 *
 * @param source a table of attempts, or a condition upon one, as it stands behind FROM
 * @param conflict by which columns a row is the same
 */
export function bookHours(sign: "" | "-", source: string, conflict: string): string {
  const names = Object.keys(SUMMED);
  const sums = Object.values(SUMMED).map((value) => `${sign}sum(${value})`);
  return `
    INSERT INTO spend_hours (${HOUR_KEYS.join()}, tags, ${names.join()})
    SELECT started_at_ms - started_at_ms % ${HOUR_MS}, tenant, principal, provider, model, operation, tags, ${sums.join()}
    FROM ${source}
    GROUP BY 1, 2, 3, 4, 5, 6, 7
    ON CONFLICT (${conflict})
    DO UPDATE SET ${names.map((name) => `${name} = spend_hours.${name} + excluded.${name}`).join()}`;
}

/** The hour that holds a time, by its first millisecond. */
export function hourOf(timeMs: number): number {
  return timeMs - (timeMs % HOUR_MS);
}
