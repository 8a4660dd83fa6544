/** Known requests in PostgreSQL, for any number of replicas. It knows nothing of what makes two of them alike. */
import type { KnownStore } from "../../core/known-store.ts";
import { KNOWN_COLUMNS, knownOf, knownRow, whichRow } from "../known-rows.ts";
import type { Postgres } from "./connection.ts";

const NEWEST = "ORDER BY stored_at_ms DESC, key";
const KEEP = `
  INSERT INTO known_requests (${KNOWN_COLUMNS.join()}) VALUES (${KNOWN_COLUMNS.map((_, index) => `$${index + 1}`).join()})
  ON CONFLICT (key) DO UPDATE SET ${KNOWN_COLUMNS.map((column) => `${column} = excluded.${column}`).join()}`;
const LOAD = `SELECT * FROM known_requests WHERE expires_at_ms > $1 ${NEWEST} LIMIT $2`;
const CLEAR = `
  DELETE FROM known_requests
  WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text IS NULL OR family = $2 OR provider || '/' || model = $2)
    AND ($3::text IS NULL OR tags ->> $3 = $4::text)`;
const EXPIRE = "DELETE FROM known_requests WHERE expires_at_ms <= $1";
const CUT = `DELETE FROM known_requests WHERE key IN (SELECT key FROM known_requests ${NEWEST} OFFSET $1)`;

export function knownOn({ transaction }: Postgres): KnownStore {
  const run = (text: string, values: readonly unknown[]) =>
    transaction(async (client) => (await client.query(text, [...values])).rows);
  return {
    async keep(row) {
      await run(KEEP, knownRow(row));
    },
    load: async (nowMs, limit) => (await run(LOAD, [nowMs, limit])).map(knownOf).reverse(),
    async clear(which) {
      await run(CLEAR, whichRow(which));
    },
    async sweep(nowMs, limit) {
      await run(EXPIRE, [nowMs]);
      await run(CUT, [limit]);
    },
  };
}
