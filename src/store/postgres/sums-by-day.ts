/**
 * A step of the PostgreSQL database: routes and triggers of attempts, sums by the day too, and in both sums what only calls
 * know. What is older has no route. Never changed, as all steps.
 */

/** Counts of how long attempts took, by bucket. */
const LATENCIES = Array.from({ length: 30 }, (_, bucket) => `latency_${String(bucket).padStart(2, "0")}`);

export const SUMS_BY_DAY = `
ALTER TABLE attempts ADD COLUMN route text NOT NULL DEFAULT '', ADD COLUMN trigger text NOT NULL DEFAULT '';
ALTER TABLE calls
  ADD COLUMN route text NOT NULL DEFAULT '',
  ADD COLUMN rolled_up boolean NOT NULL DEFAULT false;
DROP INDEX calls_by_time;
CREATE INDEX calls_by_time ON calls (rolled_up, started_at_ms);
CREATE INDEX calls_by_request ON calls (request_id);

ALTER TABLE spend_hours
  ADD COLUMN route text NOT NULL DEFAULT '',
  ADD COLUMN requests bigint NOT NULL DEFAULT 0,
  ADD COLUMN errors bigint NOT NULL DEFAULT 0,
  ADD COLUMN cached_requests bigint NOT NULL DEFAULT 0,
  ADD COLUMN estimated_pico_usd numeric NOT NULL DEFAULT 0,
  ADD COLUMN saved_pico_usd numeric NOT NULL DEFAULT 0,
  ${LATENCIES.map((name) => `ADD COLUMN ${name} integer NOT NULL DEFAULT 0`).join(",\n    ")},
  ALTER COLUMN attempts SET DEFAULT 0,
  ALTER COLUMN ok SET DEFAULT 0,
  ALTER COLUMN failed SET DEFAULT 0,
  ALTER COLUMN abandoned SET DEFAULT 0,
  ALTER COLUMN unknown SET DEFAULT 0,
  ALTER COLUMN estimated SET DEFAULT 0,
  ALTER COLUMN unpriced SET DEFAULT 0,
  ALTER COLUMN input_tokens SET DEFAULT 0,
  ALTER COLUMN cached_input_tokens SET DEFAULT 0,
  ALTER COLUMN cache_write_tokens SET DEFAULT 0,
  ALTER COLUMN output_tokens SET DEFAULT 0,
  ALTER COLUMN reasoning_tokens SET DEFAULT 0,
  ALTER COLUMN cost_pico_usd SET DEFAULT 0,
  ALTER COLUMN unknown_pico_usd SET DEFAULT 0;
DROP INDEX spend_hours_key;
CREATE UNIQUE INDEX spend_hours_key
  ON spend_hours (hour_ms, tenant, principal, provider, model, operation, route, md5(tags::text));

CREATE TABLE spend_days (LIKE spend_hours INCLUDING DEFAULTS);
ALTER TABLE spend_days RENAME COLUMN hour_ms TO day_ms;
INSERT INTO spend_days (day_ms, route, tenant, principal, provider, model, operation, tags, attempts, ok, failed, abandoned, unknown, estimated, unpriced, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_pico_usd, unknown_pico_usd)
  SELECT hour_ms - hour_ms % 86400000, '', tenant, principal, provider, model, operation, tags,
  sum(attempts), sum(ok), sum(failed), sum(abandoned), sum(unknown), sum(estimated),
  sum(unpriced), sum(input_tokens), sum(cached_input_tokens), sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens),
  sum(cost_pico_usd), sum(unknown_pico_usd)
  FROM spend_hours GROUP BY 1, 3, 4, 5, 6, 7, 8;
CREATE UNIQUE INDEX spend_days_key
  ON spend_days (day_ms, tenant, principal, provider, model, operation, route, md5(tags::text));
`;
