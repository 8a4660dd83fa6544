/** The tables of the PostgreSQL database, version by version. They know nothing of who asks. */
import type { Migrations } from "../version.ts";
import { ADJUSTMENTS } from "./adjustments-by-hour.ts";
import { REQUEST_TEXTS } from "./request-texts.ts";
import { SUMS_BY_DAY } from "./sums-by-day.ts";

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
  `
  CREATE TABLE jobs (
    job_id text COLLATE "C" NOT NULL PRIMARY KEY,
    -- Its place in the queue, which is pg-boss's.
    message_id uuid NOT NULL,
    batch_id text NOT NULL,
    custom_id text NOT NULL,
    tenant text NOT NULL,
    principal text NOT NULL,
    priority integer NOT NULL,
    created_at_ms bigint NOT NULL,
    due_at_ms bigint NOT NULL,
    start_within_ms bigint NOT NULL,
    model text NOT NULL,
    metadata text NOT NULL,
    callback_url text NOT NULL,
    estimated_pico_usd bigint,
    traceparent text NOT NULL,
    state text NOT NULL DEFAULT 'pending'
      CHECK (state IN ('pending', 'running', 'completed', 'failed', 'cancelled', 'expired')),
    started_at_ms bigint,
    ended_at_ms bigint,
    runs integer NOT NULL DEFAULT 0,
    lost_runs integer NOT NULL DEFAULT 0,
    cost_pico_usd bigint DEFAULT 0,
    failure text,
    cancel_requested boolean NOT NULL DEFAULT false,
    partial text NOT NULL DEFAULT '',
    purged boolean NOT NULL DEFAULT false,
    -- Whose run is under way, and what it waits for outside.
    holder text NOT NULL DEFAULT '',
    parked text,
    -- In the order of the ends in its batch, from 1 on.
    batch_place integer
  );
  CREATE INDEX jobs_open ON jobs (state, due_at_ms) WHERE state IN ('pending', 'running');
  CREATE INDEX jobs_not_begun ON jobs ((due_at_ms + start_within_ms)) WHERE state = 'pending' AND runs = 0;
  CREATE INDEX jobs_ended ON jobs (purged, ended_at_ms) WHERE ended_at_ms IS NOT NULL;
  CREATE INDEX jobs_by_owner ON jobs (tenant, principal, created_at_ms, job_id);
  CREATE INDEX jobs_of_batch ON jobs (batch_id, batch_place) WHERE batch_id <> '';

  -- Apart, since a row is written anew as a whole with each change.
  CREATE TABLE job_requests (job_id text COLLATE "C" NOT NULL PRIMARY KEY, body bytea NOT NULL);
  CREATE TABLE job_results (job_id text COLLATE "C" NOT NULL PRIMARY KEY, body bytea NOT NULL);

  CREATE TABLE batches (
    batch_id text COLLATE "C" NOT NULL PRIMARY KEY,
    tenant text NOT NULL,
    principal text NOT NULL,
    created_at_ms bigint NOT NULL,
    callback_url text NOT NULL,
    cancelled boolean NOT NULL DEFAULT false,
    ended_at_ms bigint,
    open_jobs integer NOT NULL,
    ended_jobs integer NOT NULL DEFAULT 0
  );

  CREATE TABLE job_keys (
    tenant text NOT NULL,
    principal text NOT NULL,
    idempotency_key text NOT NULL,
    fingerprint text NOT NULL,
    -- The job's or the batch's.
    id text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, principal, idempotency_key)
  );
  CREATE INDEX job_keys_by_id ON job_keys (id);

  CREATE TABLE webhooks (
    webhook_id text COLLATE "C" NOT NULL PRIMARY KEY,
    subject text NOT NULL,
    tenant text NOT NULL,
    principal text NOT NULL,
    url text NOT NULL,
    host text NOT NULL,
    created_at_ms bigint NOT NULL,
    due_at_ms bigint NOT NULL,
    since_ms bigint NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    -- Whether what the latest try comes to still counts.
    tried boolean NOT NULL DEFAULT false,
    delivered_at_ms bigint
  );
  CREATE INDEX webhooks_due ON webhooks (due_at_ms, webhook_id) WHERE state = 'pending';
  CREATE INDEX webhooks_by_owner ON webhooks (tenant, principal, created_at_ms, webhook_id);

  CREATE TABLE webhook_deliveries (
    webhook_id text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    started_at_ms bigint NOT NULL,
    latency_ms bigint NOT NULL,
    http_status integer,
    error text NOT NULL,
    PRIMARY KEY (webhook_id, attempt)
  );
  `,
  `
  CREATE TABLE idempotency_keys (
    tenant text NOT NULL,
    principal text NOT NULL,
    idempotency_key text NOT NULL,
    fingerprint text NOT NULL,
    call_id text NOT NULL,
    request_id text NOT NULL,
    -- Whose process makes the call.
    holder text NOT NULL,
    expires_at_ms bigint NOT NULL,
    -- Null while it is under way.
    ended_at_ms bigint,
    provider text NOT NULL DEFAULT '',
    model text NOT NULL DEFAULT '',
    cost_pico_usd bigint,
    -- Empty when it was answered.
    failure_kind text NOT NULL DEFAULT '',
    failure_message text NOT NULL DEFAULT '',
    events bytea,
    PRIMARY KEY (tenant, principal, idempotency_key)
  );
  CREATE INDEX idempotency_keys_by_end ON idempotency_keys (expires_at_ms);
  `,
  // What the cache knew of a call, and how it answered.
  `
  ALTER TABLE calls ADD COLUMN cache_outcome text NOT NULL DEFAULT '';
  ALTER TABLE calls ADD COLUMN cache_kind text NOT NULL DEFAULT '';
  `,
  `
  CREATE TABLE known_requests (
    key text NOT NULL PRIMARY KEY,
    frame text NOT NULL,
    text text NOT NULL,
    vector bytea NOT NULL,
    tenant text NOT NULL,
    family text NOT NULL,
    tags jsonb NOT NULL,
    request_id text NOT NULL,
    stored_at_ms bigint NOT NULL,
    expires_at_ms bigint NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    cost_pico_usd bigint,
    events bytea NOT NULL
  );
  CREATE INDEX known_requests_by_end ON known_requests (expires_at_ms);
  CREATE INDEX known_requests_by_age ON known_requests (stored_at_ms);
  `,
  SUMS_BY_DAY,
  // The variant of an experiment that served, and how experiments stand.
  `
  ALTER TABLE attempts ADD COLUMN variant text NOT NULL DEFAULT '';
  ALTER TABLE calls ADD COLUMN variant text NOT NULL DEFAULT '';
  CREATE INDEX calls_of_experiments ON calls (request_id) WHERE variant <> '';
  CREATE TABLE experiments (
    name text NOT NULL,
    fingerprint text NOT NULL,
    -- The process whose figures they are; empty for what was decided.
    instance text NOT NULL,
    updated_at_ms bigint NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (name, fingerprint, instance)
  );
  `,
  ADJUSTMENTS,
  // From a line of a bill to its trace.
  `
  ALTER TABLE calls ADD COLUMN trace_id text NOT NULL DEFAULT '';
  `,
  REQUEST_TEXTS,
  // Most calls have no id but the gateway's own, by which they are found without it.
  `
  DROP INDEX calls_by_request;
  CREATE INDEX calls_by_request ON calls (request_id) WHERE request_id <> call_id;
  `,
  // Among whose figures feedback counts that comes to another process.
  `
  ALTER TABLE calls ADD COLUMN variant_group integer;
  `,
];
