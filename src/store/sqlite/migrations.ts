/** The tables of the SQLite database, version by version. They know nothing of who asks. */
import type { Migrations } from "../version.ts";
import { ADJUSTMENTS } from "./adjustments-by-hour.ts";
import { REQUEST_TEXTS } from "./request-texts.ts";
import { SUMS_BY_DAY } from "./sums-by-day.ts";

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
  `
  CREATE TABLE jobs (
    job_id TEXT NOT NULL PRIMARY KEY,
    batch_id TEXT NOT NULL,
    custom_id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    principal TEXT NOT NULL,
    priority INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    due_at_ms INTEGER NOT NULL,
    start_within_ms INTEGER NOT NULL,
    model TEXT NOT NULL,
    metadata TEXT NOT NULL,
    callback_url TEXT NOT NULL,
    estimated_pico_usd INTEGER,
    traceparent TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    started_at_ms INTEGER,
    ended_at_ms INTEGER,
    runs INTEGER NOT NULL DEFAULT 0,
    lost_runs INTEGER NOT NULL DEFAULT 0,
    cost_pico_usd INTEGER DEFAULT 0,
    failure TEXT,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    partial TEXT NOT NULL DEFAULT '',
    purged INTEGER NOT NULL DEFAULT 0,
    -- Whose run is under way, and until when; what it waits for outside.
    holder TEXT NOT NULL DEFAULT '',
    lease_until_ms INTEGER NOT NULL DEFAULT 0,
    parked TEXT,
    -- In the order of the ends in its batch, from 1 on.
    batch_place INTEGER
  ) STRICT;
  CREATE INDEX jobs_waiting ON jobs (priority, due_at_ms, job_id) WHERE state = 'pending';
  CREATE INDEX jobs_not_begun ON jobs (due_at_ms + start_within_ms) WHERE state = 'pending' AND runs = 0 AND parked IS NULL;
  CREATE INDEX jobs_running ON jobs (lease_until_ms) WHERE state = 'running';
  CREATE INDEX jobs_ended ON jobs (purged, ended_at_ms) WHERE ended_at_ms IS NOT NULL;
  CREATE INDEX jobs_by_owner ON jobs (tenant, principal, created_at_ms, job_id);
  CREATE INDEX jobs_by_state ON jobs (tenant, principal, state, created_at_ms, job_id);
  CREATE INDEX jobs_of_batch ON jobs (batch_id, batch_place) WHERE batch_id <> '';

  -- Apart, since a row is written anew as a whole with each change.
  CREATE TABLE job_requests (job_id TEXT NOT NULL PRIMARY KEY, body BLOB NOT NULL) STRICT;
  CREATE TABLE job_results (job_id TEXT NOT NULL PRIMARY KEY, body BLOB NOT NULL) STRICT;

  -- To count the jobs themselves would take longer with each.
  CREATE TABLE job_counts (state TEXT NOT NULL PRIMARY KEY, jobs INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO job_counts VALUES
    ('pending', 0), ('running', 0), ('completed', 0), ('failed', 0), ('cancelled', 0), ('expired', 0);
  CREATE TRIGGER jobs_come AFTER INSERT ON jobs BEGIN
    UPDATE job_counts SET jobs = jobs + 1 WHERE state = NEW.state;
  END;
  CREATE TRIGGER jobs_move AFTER UPDATE OF state ON jobs WHEN OLD.state <> NEW.state BEGIN
    UPDATE job_counts SET jobs = jobs - 1 WHERE state = OLD.state;
    UPDATE job_counts SET jobs = jobs + 1 WHERE state = NEW.state;
  END;
  CREATE TRIGGER jobs_go AFTER DELETE ON jobs BEGIN
    UPDATE job_counts SET jobs = jobs - 1 WHERE state = OLD.state;
  END;

  CREATE TABLE batches (
    batch_id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    principal TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    callback_url TEXT NOT NULL,
    cancelled INTEGER NOT NULL DEFAULT 0,
    ended_at_ms INTEGER,
    open_jobs INTEGER NOT NULL,
    ended_jobs INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  CREATE TABLE job_keys (
    tenant TEXT NOT NULL,
    principal TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    -- The job's or the batch's.
    id TEXT NOT NULL,
    PRIMARY KEY (tenant, principal, idempotency_key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX job_keys_by_id ON job_keys (id);

  CREATE TABLE webhooks (
    webhook_id TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    tenant TEXT NOT NULL,
    principal TEXT NOT NULL,
    url TEXT NOT NULL,
    host TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    due_at_ms INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    attempts INTEGER NOT NULL DEFAULT 0,
    delivered_at_ms INTEGER
  ) STRICT;
  CREATE INDEX webhooks_due ON webhooks (due_at_ms, webhook_id, host, created_at_ms) WHERE state = 'pending';
  CREATE INDEX webhooks_by_owner ON webhooks (tenant, principal, created_at_ms, webhook_id);

  CREATE TABLE webhook_deliveries (
    webhook_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    started_at_ms INTEGER NOT NULL,
    latency_ms INTEGER NOT NULL,
    http_status INTEGER,
    error TEXT NOT NULL,
    PRIMARY KEY (webhook_id, attempt)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE idempotency_keys (
    tenant TEXT NOT NULL,
    principal TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    call_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    -- Whose process makes the call.
    holder TEXT NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    -- Null while it is under way.
    ended_at_ms INTEGER,
    provider TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL DEFAULT '',
    cost_pico_usd INTEGER,
    -- Empty when it was answered.
    failure_kind TEXT NOT NULL DEFAULT '',
    failure_message TEXT NOT NULL DEFAULT '',
    events BLOB,
    PRIMARY KEY (tenant, principal, idempotency_key)
  ) STRICT;
  CREATE INDEX idempotency_keys_by_end ON idempotency_keys (expires_at_ms);
  `,
  // What the cache knew of a call, and how it answered.
  `
  ALTER TABLE calls ADD COLUMN cache_outcome TEXT NOT NULL DEFAULT '';
  ALTER TABLE calls ADD COLUMN cache_kind TEXT NOT NULL DEFAULT '';
  `,
  `
  CREATE TABLE known_requests (
    key TEXT NOT NULL PRIMARY KEY,
    frame TEXT NOT NULL,
    text TEXT NOT NULL,
    vector BLOB NOT NULL,
    tenant TEXT NOT NULL,
    family TEXT NOT NULL,
    tags TEXT NOT NULL,
    request_id TEXT NOT NULL,
    stored_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    cost_pico_usd INTEGER,
    events BLOB NOT NULL
  ) STRICT;
  CREATE INDEX known_requests_by_end ON known_requests (expires_at_ms);
  CREATE INDEX known_requests_by_age ON known_requests (stored_at_ms);
  `,
  SUMS_BY_DAY,
  // The variant of an experiment that served, and how experiments stand.
  `
  ALTER TABLE attempts ADD COLUMN variant TEXT NOT NULL DEFAULT '';
  ALTER TABLE calls ADD COLUMN variant TEXT NOT NULL DEFAULT '';
  CREATE INDEX calls_of_experiments ON calls (request_id) WHERE variant <> '';
  CREATE TABLE experiments (
    name TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    -- The process whose figures they are; empty for what was decided.
    instance TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (name, fingerprint, instance)
  ) STRICT;
  `,
  ADJUSTMENTS,
  // From a line of a bill to its trace.
  `
  ALTER TABLE calls ADD COLUMN trace_id TEXT NOT NULL DEFAULT '';
  `,
  REQUEST_TEXTS,
  // Most calls have no id but the gateway's own, by which they are found without it.
  `
  DROP INDEX calls_by_request;
  CREATE INDEX calls_by_request ON calls (request_id) WHERE request_id <> call_id;
  `,
  // Among whose figures feedback counts that comes to another process.
  `
  ALTER TABLE calls ADD COLUMN variant_group INTEGER;
  `,
];
