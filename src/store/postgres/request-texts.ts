/** A step of the PostgreSQL database: the table of what was said in calls. Never changed, as all steps. */

export const REQUEST_TEXTS = `
CREATE TABLE request_texts (
  call_id text NOT NULL PRIMARY KEY,
  request_id text NOT NULL,
  tenant text NOT NULL,
  principal text NOT NULL,
  stored_at_ms bigint NOT NULL,
  -- Of the text.
  bytes bigint NOT NULL,
  text bytea NOT NULL
);
CREATE INDEX request_texts_by_request ON request_texts (request_id);
CREATE INDEX request_texts_by_age ON request_texts (stored_at_ms, bytes);
`;
