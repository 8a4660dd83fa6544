/** Webhooks in PostgreSQL: who tries to deliver which, and what came of it. It knows not what they say. */
import type { Outbox } from "../../core/outbox.ts";
import { DELIVERY_COLUMNS, deliveryOf, deliveryRow, numberOf, webhookOf } from "../job-rows.ts";
import { cut, pageOf, positionOf } from "../page.ts";
import { storable, textOf } from "../rows.ts";
import type { Postgres } from "./connection.ts";
import { kindsOf } from "./job-statements.ts";
import { insert } from "./statements.ts";

const TAKE = `
  WITH due AS (
    SELECT webhook_id, due_at_ms FROM webhooks
    WHERE state = 'pending' AND due_at_ms <= $2 AND host <> ALL($4::text[])
    ORDER BY due_at_ms, webhook_id LIMIT $1 FOR UPDATE SKIP LOCKED),
  taken AS (
    UPDATE webhooks AS w SET attempts = attempts + 1, tried = true, due_at_ms = $3 FROM due
    WHERE w.webhook_id = due.webhook_id RETURNING w.*, due.due_at_ms AS was_due_at_ms)
  SELECT * FROM taken ORDER BY was_due_at_ms, webhook_id`;
/** Before its record is kept, so that it is not forgotten in between. */
const HOLD = "SELECT 1 FROM webhooks WHERE webhook_id = $1 FOR UPDATE";
const INSERT_DELIVERY = insert("webhook_deliveries", kindsOf(DELIVERY_COLUMNS));
const SETTLE = `
  UPDATE webhooks SET state = $3, tried = false, due_at_ms = coalesce($4, due_at_ms), delivered_at_ms = $5
  WHERE webhook_id = $1 AND attempts = $2 AND tried`;
const OWNED = "webhook_id = $1 AND tenant = $2 AND principal = $3";
const REDELIVER = `
  UPDATE webhooks SET state = 'pending', tried = false, due_at_ms = $4, since_ms = $4, delivered_at_ms = NULL
  WHERE ${OWNED}`;
const WEBHOOK = `SELECT * FROM webhooks WHERE ${OWNED}`;
const DELIVERIES = "SELECT * FROM webhook_deliveries WHERE webhook_id = $1 ORDER BY attempt DESC";
const LIST = `
  SELECT * FROM webhooks WHERE tenant = $1 AND principal = $2 AND ($3::text IS NULL OR state = $3)
    AND ($4::bigint IS NULL OR (created_at_ms, webhook_id) < ($4, $5))
  ORDER BY created_at_ms DESC, webhook_id DESC LIMIT $6`;
const COUNTS =
  "SELECT count(*) AS pending, min(created_at_ms) AS oldest FROM webhooks WHERE state = 'pending'";

export function outboxOn({ transaction }: Postgres): Outbox {
  const rowsOf = (text: string, ...values: unknown[]) =>
    transaction(async (client) => (await client.query(text, values)).rows);
  return {
    async take(limit, nowMs, leaseMs, exceptHosts) {
      return (await rowsOf(TAKE, limit, nowMs, nowMs + leaseMs, exceptHosts)).map(webhookOf);
    },
    async settle(delivery, after) {
      const { webhookId, attempt, startedAtMs, latencyMs } = delivery;
      const dueAtMs = after.state === "pending" ? after.dueAtMs : null;
      const deliveredAtMs = after.state === "delivered" ? startedAtMs + latencyMs : null;
      await transaction(async (client) => {
        if (!(await client.query(HOLD, [webhookId])).rowCount) return;
        await client.query(INSERT_DELIVERY, [textOf([deliveryRow(delivery)])]);
        await client.query(SETTLE, [webhookId, attempt, after.state, dueAtMs, deliveredAtMs]);
      });
    },
    async redeliver(webhookId, { tenant, principal }, nowMs) {
      const values = [storable(webhookId), tenant, principal, nowMs];
      return (await transaction((client) => client.query(REDELIVER, values))).rowCount === 1;
    },
    async get(webhookId, { tenant, principal }) {
      const [row] = await rowsOf(WEBHOOK, storable(webhookId), tenant, principal);
      return row && webhookOf(row);
    },
    async deliveries(webhookId) {
      return (await rowsOf(DELIVERIES, storable(webhookId))).map(deliveryOf);
    },
    async list(state, { tenant, principal }, { size, after }) {
      const [atMs, id] = positionOf("webhooks", after) ?? [null, null];
      const rows = await rowsOf(LIST, tenant, principal, state ?? null, atMs, id && storable(id), size + 1);
      return pageOf(
        "webhooks",
        cut(rows.map(webhookOf), size, (row) => [row.createdAtMs, row.webhookId]),
      );
    },
    async counts() {
      const [row] = await rowsOf(COUNTS);
      return { pending: Number(row?.pending), oldestCreatedAtMs: numberOf(row?.oldest) };
    },
  };
}
