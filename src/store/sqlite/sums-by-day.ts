/**
 * A step of the SQLite database: routes and triggers of attempts, sums by the day too, and in both sums what only calls
 * know. What is older has no route. Never changed, as all steps.
 */

/** Counts of how long attempts took, by bucket. */
const LATENCIES = Array.from({ length: 30 }, (_, bucket) => `latency_${String(bucket).padStart(2, "0")}`);

export const SUMS_BY_DAY = `
ALTER TABLE attempts ADD COLUMN route TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN trigger TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN route TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN rolled_up INTEGER NOT NULL DEFAULT 0;
DROP INDEX calls_by_time;
CREATE INDEX calls_by_time ON calls (rolled_up, started_at_ms);
CREATE INDEX calls_by_request ON calls (request_id);

ALTER TABLE spend_hours RENAME TO spend_hours_before;
CREATE TABLE spend_hours (
  hour_ms INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  principal TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  operation TEXT NOT NULL,
  route TEXT NOT NULL,
  tags TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  ok INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  abandoned INTEGER NOT NULL DEFAULT 0,
  unknown INTEGER NOT NULL DEFAULT 0,
  estimated INTEGER NOT NULL DEFAULT 0,
  unpriced INTEGER NOT NULL DEFAULT 0,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  cached_input_tokens INTEGER NOT NULL DEFAULT 0,
  cache_write_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  reasoning_tokens INTEGER NOT NULL DEFAULT 0,
  requests INTEGER NOT NULL DEFAULT 0,
  errors INTEGER NOT NULL DEFAULT 0,
  cached_requests INTEGER NOT NULL DEFAULT 0,
  cost_pico_usd INTEGER NOT NULL DEFAULT 0,
  estimated_pico_usd INTEGER NOT NULL DEFAULT 0,
  unknown_pico_usd INTEGER NOT NULL DEFAULT 0,
  saved_pico_usd INTEGER NOT NULL DEFAULT 0,
  ${LATENCIES.map((name) => `${name} INTEGER NOT NULL DEFAULT 0,`).join("\n    ")}
  PRIMARY KEY (hour_ms, tenant, principal, provider, model, operation, route, tags)
) STRICT, WITHOUT ROWID;
INSERT INTO spend_hours (hour_ms, route, tenant, principal, provider, model, operation, tags, attempts, ok, failed, abandoned, unknown, estimated, unpriced, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_pico_usd, unknown_pico_usd)
  SELECT hour_ms, '', tenant, principal, provider, model, operation, tags, attempts, ok, failed, abandoned, unknown, estimated, unpriced, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_pico_usd, unknown_pico_usd FROM spend_hours_before;
DROP TABLE spend_hours_before;

CREATE TABLE spend_days (
  day_ms INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  principal TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  operation TEXT NOT NULL,
  route TEXT NOT NULL,
  tags TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  ok INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  abandoned INTEGER NOT NULL DEFAULT 0,
  unknown INTEGER NOT NULL DEFAULT 0,
  estimated INTEGER NOT NULL DEFAULT 0,
  unpriced INTEGER NOT NULL DEFAULT 0,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  cached_input_tokens INTEGER NOT NULL DEFAULT 0,
  cache_write_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  reasoning_tokens INTEGER NOT NULL DEFAULT 0,
  requests INTEGER NOT NULL DEFAULT 0,
  errors INTEGER NOT NULL DEFAULT 0,
  cached_requests INTEGER NOT NULL DEFAULT 0,
  cost_pico_usd INTEGER NOT NULL DEFAULT 0,
  estimated_pico_usd INTEGER NOT NULL DEFAULT 0,
  unknown_pico_usd INTEGER NOT NULL DEFAULT 0,
  saved_pico_usd INTEGER NOT NULL DEFAULT 0,
  ${LATENCIES.map((name) => `${name} INTEGER NOT NULL DEFAULT 0,`).join("\n    ")}
  PRIMARY KEY (day_ms, tenant, principal, provider, model, operation, route, tags)
) STRICT, WITHOUT ROWID;
INSERT INTO spend_days (day_ms, route, tenant, principal, provider, model, operation, tags, attempts, ok, failed, abandoned, unknown, estimated, unpriced, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_pico_usd, unknown_pico_usd)
  SELECT hour_ms - hour_ms % 86400000, '', tenant, principal, provider, model, operation, tags,
  sum(attempts), sum(ok), sum(failed), sum(abandoned), sum(unknown), sum(estimated),
  sum(unpriced), sum(input_tokens), sum(cached_input_tokens), sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens),
  sum(cost_pico_usd), sum(unknown_pico_usd)
  FROM spend_hours GROUP BY 1, 3, 4, 5, 6, 7, 8;
`;
