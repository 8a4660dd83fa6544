/** What was said in calls, in PostgreSQL, for any number of replicas. It knows nothing of what may be kept. */
import type { TranscriptStore } from "../../core/transcript-store.ts";
import { storable } from "../rows.ts";
import type { Postgres } from "./connection.ts";
import { CHUNK_ROWS } from "./statements.ts";

const KEEP = `
  INSERT INTO request_texts (call_id, request_id, tenant, principal, stored_at_ms, bytes, text)
  VALUES ($1, $2, $3, $4, $5, $6, $7)
  ON CONFLICT (call_id) DO UPDATE SET
    stored_at_ms = excluded.stored_at_ms, bytes = excluded.bytes, text = excluded.text`;
const BY_CALL = "SELECT text FROM request_texts WHERE call_id = $1";
const BY_REQUEST = `
  SELECT text FROM request_texts WHERE request_id = $1 ORDER BY stored_at_ms DESC, call_id DESC LIMIT 1`;
const DELETE = "DELETE FROM request_texts WHERE $1::text IS NULL OR call_id = $1 OR request_id = $1";
const OLD = `
  DELETE FROM request_texts WHERE call_id IN (
    SELECT call_id FROM request_texts WHERE stored_at_ms < $1 LIMIT ${CHUNK_ROWS})`;
const TOTAL = "SELECT coalesce(sum(bytes), 0) AS bytes FROM request_texts";
/** As many of the oldest as it takes. */
const EXCESS = `
  DELETE FROM request_texts WHERE call_id IN (
    SELECT call_id FROM (
      SELECT call_id, sum(bytes) OVER (ORDER BY stored_at_ms, call_id) - bytes AS older
      FROM (
        SELECT call_id, stored_at_ms, bytes FROM request_texts ORDER BY stored_at_ms, call_id LIMIT ${CHUNK_ROWS}
      ) AS oldest
    ) AS summed
    WHERE older < $1)`;

export function transcriptsOn({ transaction }: Postgres): TranscriptStore {
  const run = (text: string, ...values: readonly unknown[]) =>
    transaction((client) => client.query(text, [...values]));
  return {
    async keep(rows) {
      await transaction(async (client) => {
        for (const { callId, requestId, tenant, principal, storedAtMs, text } of rows) {
          const bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
          const id = storable(requestId);
          await client.query(KEEP, [callId, id, tenant, principal, storedAtMs, text.length, bytes]);
        }
      });
    },
    async get(id) {
      const given = storable(id);
      const [row = undefined] = (await run(BY_CALL, given)).rows;
      return (row ?? (await run(BY_REQUEST, given)).rows[0])?.text;
    },
    async delete(id) {
      return (await run(DELETE, id === undefined ? null : storable(id))).rowCount ?? 0;
    },
    async sweep(keepSinceMs, maxBytes) {
      while ((await run(OLD, keepSinceMs)).rowCount === CHUNK_ROWS);
      const over = async () => Number((await run(TOTAL)).rows[0]?.bytes) - maxBytes;
      for (let more = await over(); more > 0; more = await over()) await run(EXCESS, more);
    },
  };
}
