/** How experiments stand, in PostgreSQL, for any number of replicas. */
import type { ExperimentStore } from "../../core/experiment-store.ts";
import { storable } from "../rows.ts";
import type { Postgres } from "./connection.ts";

const KEEP = `
  INSERT INTO experiments AS e (name, fingerprint, instance, updated_at_ms, body) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (name, fingerprint, instance) DO UPDATE SET updated_at_ms = excluded.updated_at_ms, body = excluded.body
  WHERE excluded.updated_at_ms >= e.updated_at_ms`;
const KEEP_FIRST = `
  INSERT INTO experiments (name, fingerprint, instance, updated_at_ms, body) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT DO NOTHING`;
const KEEP_NEXT = `
  UPDATE experiments SET updated_at_ms = $4, body = $5
  WHERE name = $1 AND fingerprint = $2 AND instance = $3 AND body = $6`;
const FORGET = "DELETE FROM experiments WHERE name = $1 AND fingerprint = $2 AND instance = $3";
const VARIANT_OF = `
  SELECT variant, variant_group FROM calls
  WHERE request_id = $1 AND tenant = $2 AND variant <> '' AND method <> 'Shadow' AND outcome = 'ok'
  ORDER BY started_at_ms DESC LIMIT 1`;

export function experimentsOn({ transaction }: Postgres): ExperimentStore {
  const run = (text: string, ...values: unknown[]) =>
    transaction(async (client) => (await client.query(text, values)).rows);
  return {
    async keep({ name, fingerprint, instance, updatedAtMs, body }) {
      await run(KEEP, name, fingerprint, instance, updatedAtMs, body);
    },
    load: async () =>
      (await run("SELECT * FROM experiments")).map((row) => ({
        name: row.name,
        fingerprint: row.fingerprint,
        instance: row.instance,
        updatedAtMs: Number(row.updated_at_ms),
        body: row.body,
      })),
    fold: (instance, { name, fingerprint, instance: place, updatedAtMs, body }, before) =>
      transaction(async (client) => {
        const sum = [name, fingerprint, place, updatedAtMs, body];
        const { rowCount } = await (before === undefined
          ? client.query(KEEP_FIRST, sum)
          : client.query(KEEP_NEXT, [...sum, before]));
        if (rowCount !== 1) return false;
        await client.query(FORGET, [name, fingerprint, instance]);
        return true;
      }),
    async sweep(beforeMs) {
      await run("DELETE FROM experiments WHERE updated_at_ms < $1 AND instance <> ''", beforeMs);
    },
    async variantOf(tenant, requestId) {
      const [row] = await run(VARIANT_OF, storable(requestId), tenant);
      return row && { name: row.variant, group: row.variant_group ?? undefined };
    },
  };
}
