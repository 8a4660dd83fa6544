/** A step of the SQLite database: the table of what was said in calls. Never changed, as all steps. */

export const REQUEST_TEXTS = `
CREATE TABLE request_texts (
  call_id TEXT NOT NULL PRIMARY KEY,
  request_id TEXT NOT NULL,
  tenant TEXT NOT NULL,
  principal TEXT NOT NULL,
  stored_at_ms INTEGER NOT NULL,
  -- Of the text.
  bytes INTEGER NOT NULL,
  text BLOB NOT NULL
) STRICT;
CREATE INDEX request_texts_by_request ON request_texts (request_id);
CREATE INDEX request_texts_by_age ON request_texts (stored_at_ms, bytes);
`;
