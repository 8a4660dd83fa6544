/** Idempotency keys in PostgreSQL, for any number of replicas. Which of them live it learns from their locks. */
import type { PoolClient } from "pg";
import type { IdempotencyStore, KeyName } from "../../core/idempotency-store.ts";
import { claimedOf, END_COLUMNS, endRow } from "../key-rows.ts";
import { storable } from "../rows.ts";
import { locked, lockKey } from "./alive.ts";
import type { Postgres } from "./connection.ts";
import { CHUNK_ROWS } from "./statements.ts";

const NAMED = "tenant = $1 AND principal = $2 AND idempotency_key = $3";
const COLUMNS = "tenant, principal, idempotency_key, fingerprint, call_id, request_id, holder, expires_at_ms";
/** Waits for who takes it at the same moment. */
const TAKE = `
  INSERT INTO idempotency_keys (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`;
const FIND = `SELECT * FROM idempotency_keys WHERE ${NAMED} FOR UPDATE`;
const DELETE = `DELETE FROM idempotency_keys WHERE ${NAMED}`;
const FINISH = `
  UPDATE idempotency_keys SET expires_at_ms = $5,
    ${END_COLUMNS.map((column, index) => `${column} = $${index + 6}`).join()}
  WHERE ${NAMED} AND call_id = $4`;
const FREE = `${DELETE} AND call_id = $4`;
const SWEEP = `
  DELETE FROM idempotency_keys WHERE ctid IN (
    SELECT ctid FROM idempotency_keys WHERE expires_at_ms <= $1 AND ended_at_ms IS NOT NULL LIMIT ${CHUNK_ROWS})`;
const LATE_HOLDERS = `
  SELECT DISTINCT holder FROM idempotency_keys WHERE expires_at_ms <= $1 AND ended_at_ms IS NULL AND holder <> $2`;
const SWEEP_LOST =
  "DELETE FROM idempotency_keys WHERE expires_at_ms <= $1 AND ended_at_ms IS NULL AND holder = $2";

export function idempotencyOn({ transaction }: Postgres, instance: string): IdempotencyStore {
  const stateOf = async (client: PoolClient, holder: string) => {
    if (holder === instance) return "here";
    return (await locked(client, lockKey(holder))) ? "lost" : "elsewhere";
  };
  return {
    claim(name, { fingerprint, callId, requestId }, nowMs, expiresAtMs) {
      const key = valuesOf(name);
      const values = [...key, fingerprint, callId, storable(requestId), instance, expiresAtMs];
      return transaction(async (client) => {
        // Between both, another may give it back.
        for (;;) {
          if ((await client.query(TAKE, values)).rowCount) return { state: "taken" };
          const { rows } = await client.query(FIND, key);
          const [row] = rows;
          if (!row) continue;
          // The commit was lost on its way back.
          if (row.call_id === callId) return { state: "taken" };
          const unended = row.ended_at_ms === null ? await stateOf(client, row.holder) : "lost";
          if (unended !== "lost" || Number(row.expires_at_ms) > nowMs) return claimedOf(row, unended);
          await client.query(DELETE, key);
        }
      });
    },
    async finish(name, callId, end, expiresAtMs) {
      const values = [...valuesOf(name), callId, expiresAtMs, ...endRow(end)];
      await transaction((client) => client.query(FINISH, values));
    },
    async free(name, callId) {
      await transaction((client) => client.query(FREE, [...valuesOf(name), callId]));
    },
    async sweep(nowMs) {
      while ((await transaction((client) => client.query(SWEEP, [nowMs]))).rowCount === CHUNK_ROWS);
      const { rows } = await transaction((client) => client.query(LATE_HOLDERS, [nowMs, instance]));
      for (const { holder } of rows) {
        await transaction(async (client) => {
          if (await locked(client, lockKey(holder))) await client.query(SWEEP_LOST, [nowMs, holder]);
        });
      }
    },
  };
}

function valuesOf({ tenant, principal, key }: KeyName): string[] {
  return [tenant, principal, storable(key)];
}
