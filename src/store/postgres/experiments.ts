/** How experiments stand, in PostgreSQL, for any number of replicas. */
import type { ExperimentStore } from "../../core/experiment-store.ts";
import { storable } from "../rows.ts";
import type { Postgres } from "./connection.ts";

const KEEP = `
  INSERT INTO experiments AS e (name, fingerprint, instance, updated_at_ms, body) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (name, fingerprint, instance) DO UPDATE SET updated_at_ms = excluded.updated_at_ms, body = excluded.body
  WHERE excluded.updated_at_ms >= e.updated_at_ms`;
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
    async sweep(beforeMs) {
      await run("DELETE FROM experiments WHERE updated_at_ms < $1 AND instance <> ''", beforeMs);
    },
    async variantOf(tenant, requestId) {
      const [row] = await run(VARIANT_OF, storable(requestId), tenant);
      return row && { name: row.variant, group: row.variant_group ?? undefined };
    },
  };
}
