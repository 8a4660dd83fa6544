/** The tables of the PostgreSQL database, version by version. They know nothing of who asks. */
import type { Migrations } from "../version.ts";

export const POSTGRES_MIGRATIONS: Migrations = [
  `
  CREATE TABLE attempts (
    call_id text NOT NULL,
    number integer NOT NULL,
    request_id text NOT NULL,
    instance text NOT NULL,
    started_at_ms bigint NOT NULL,
    settled_at_ms bigint,
    tenant text NOT NULL,
    principal text NOT NULL,
    tags jsonb NOT NULL,
    operation text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    served_model text NOT NULL DEFAULT '',
    price_version text NOT NULL,
    reserved_pico_usd bigint,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'settled', 'unknown')),
    outcome text NOT NULL DEFAULT 'pending',
    failure_kind text NOT NULL DEFAULT '',
    latency_ms integer,
    first_event_ms integer,
    provenance text NOT NULL DEFAULT 'unknown',
    input_tokens integer,
    cached_input_tokens integer,
    cache_write_tokens integer,
    cache_write_1h_tokens integer,
    audio_input_tokens integer,
    image_input_tokens integer,
    tool_use_input_tokens integer,
    output_tokens integer,
    reasoning_tokens integer,
    audio_output_tokens integer,
    image_output_tokens integer,
    service_tier text NOT NULL DEFAULT '',
    cost_pico_usd bigint,
    line_items jsonb NOT NULL DEFAULT '[]',
    rolled_up boolean NOT NULL DEFAULT false,
    PRIMARY KEY (call_id, number)
  );
  CREATE INDEX attempts_by_time ON attempts (rolled_up, started_at_ms);
  CREATE INDEX attempts_open ON attempts (instance) WHERE state = 'open';

  CREATE TABLE calls (
    call_id text NOT NULL PRIMARY KEY,
    request_id text NOT NULL,
    started_at_ms bigint NOT NULL,
    ended_at_ms bigint NOT NULL,
    tenant text NOT NULL,
    principal text NOT NULL,
    tags jsonb NOT NULL,
    method text NOT NULL,
    operation text NOT NULL,
    protocol text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    policy text NOT NULL,
    outcome text NOT NULL,
    failure_kind text NOT NULL,
    finish_reason text NOT NULL,
    attempts integer NOT NULL,
    provenance text NOT NULL,
    price_version text NOT NULL,
    estimated_pico_usd bigint,
    cost_pico_usd bigint,
    saved_pico_usd bigint
  );
  CREATE INDEX calls_by_time ON calls (started_at_ms);

  CREATE TABLE spend_hours (
    hour_ms bigint NOT NULL,
    tenant text NOT NULL,
    principal text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    operation text NOT NULL,
    tags jsonb NOT NULL,
    attempts bigint NOT NULL,
    ok bigint NOT NULL,
    failed bigint NOT NULL,
    abandoned bigint NOT NULL,
    unknown bigint NOT NULL,
    estimated bigint NOT NULL,
    unpriced bigint NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    cost_pico_usd numeric NOT NULL,
    unknown_pico_usd numeric NOT NULL
  );
  -- By a sum of the tags, which may be longer than a key.
  CREATE UNIQUE INDEX spend_hours_key
    ON spend_hours (hour_ms, tenant, principal, provider, model, operation, md5(tags::text));

  CREATE TABLE price_catalogs (
    version text NOT NULL PRIMARY KEY,
    sha256 text NOT NULL,
    json text NOT NULL,
    loaded_at_ms bigint NOT NULL
  );
  `,
];
