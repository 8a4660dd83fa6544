/** The tables of the SQLite database, version by version. They know nothing of who asks. */
import type { Migrations } from "../version.ts";

// Of states a list would be a table that SQLite builds anew for each row, which took a third of its insertion.
export const SQLITE_MIGRATIONS: Migrations = [
  `
  CREATE TABLE attempts (
    call_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    instance TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    settled_at_ms INTEGER,
    tenant TEXT NOT NULL,
    principal TEXT NOT NULL,
    tags TEXT NOT NULL,
    operation TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    served_model TEXT NOT NULL DEFAULT '',
    price_version TEXT NOT NULL,
    reserved_pico_usd INTEGER,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state = 'open' OR state = 'settled' OR state = 'unknown'),
    outcome TEXT NOT NULL DEFAULT 'pending',
    failure_kind TEXT NOT NULL DEFAULT '',
    latency_ms INTEGER,
    first_event_ms INTEGER,
    provenance TEXT NOT NULL DEFAULT 'unknown',
    input_tokens INTEGER,
    cached_input_tokens INTEGER,
    cache_write_tokens INTEGER,
    cache_write_1h_tokens INTEGER,
    audio_input_tokens INTEGER,
    image_input_tokens INTEGER,
    tool_use_input_tokens INTEGER,
    output_tokens INTEGER,
    reasoning_tokens INTEGER,
    audio_output_tokens INTEGER,
    image_output_tokens INTEGER,
    service_tier TEXT NOT NULL DEFAULT '',
    cost_pico_usd INTEGER,
    line_items TEXT NOT NULL DEFAULT '[]',
    rolled_up INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (call_id, number)
  ) STRICT;
  CREATE INDEX attempts_by_time ON attempts (rolled_up, started_at_ms);

  CREATE TABLE calls (
    call_id TEXT NOT NULL PRIMARY KEY,
    request_id TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    principal TEXT NOT NULL,
    tags TEXT NOT NULL,
    method TEXT NOT NULL,
    operation TEXT NOT NULL,
    protocol TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    policy TEXT NOT NULL,
    outcome TEXT NOT NULL,
    failure_kind TEXT NOT NULL,
    finish_reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    provenance TEXT NOT NULL,
    price_version TEXT NOT NULL,
    estimated_pico_usd INTEGER,
    cost_pico_usd INTEGER,
    saved_pico_usd INTEGER
  ) STRICT;
  CREATE INDEX calls_by_time ON calls (started_at_ms);

  CREATE TABLE spend_hours (
    hour_ms INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    principal TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    operation TEXT NOT NULL,
    tags TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    abandoned INTEGER NOT NULL,
    unknown INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cached_input_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_pico_usd INTEGER NOT NULL,
    unknown_pico_usd INTEGER NOT NULL,
    PRIMARY KEY (hour_ms, tenant, principal, provider, model, operation, tags)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE price_catalogs (
    version TEXT NOT NULL PRIMARY KEY,
    sha256 TEXT NOT NULL,
    json TEXT NOT NULL,
    loaded_at_ms INTEGER NOT NULL
  ) STRICT;
  `,
];
