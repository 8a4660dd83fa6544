/** The outbox's tables in SQLite. It blocks while the disk works, and knows neither threads nor page tokens. */
import type { Owner } from "../../core/job-store.ts";
import type { AfterDelivery, DeliveryRecord, WebhookRecord, WebhookState } from "../../core/outbox.ts";
import { DELIVERY_COLUMNS, deliveryOf, deliveryRow, numberOf, webhookOf } from "../job-rows.ts";
import { cut, type Position, type Rows } from "../page.ts";
import type { Database } from "./database.ts";

export class SqliteOutbox {
  private readonly db: Database;
  private readonly statements: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.db = db;
    this.statements = prepare(db);
  }

  take(limit: number, nowMs: number, leaseMs: number, exceptHosts: readonly string[]): WebhookRecord[] {
    const { due, begin } = this.statements;
    return this.db.write(true, () =>
      due
        .all(nowMs, JSON.stringify(exceptHosts), limit)
        .map(({ webhook_id: id = null }) => webhookOf(begin.get(nowMs + leaseMs, id) ?? {})),
    );
  }

  settle(delivery: DeliveryRecord, after: AfterDelivery): void {
    const { webhookId, attempt, startedAtMs, latencyMs } = delivery;
    const { addDelivery, settle } = this.statements;
    const dueAtMs = after.state === "pending" ? after.dueAtMs : null;
    const deliveredAtMs = after.state === "delivered" ? startedAtMs + latencyMs : null;
    this.db.write(true, () => {
      addDelivery.run(...deliveryRow(delivery), webhookId);
      settle.run(after.state, dueAtMs, deliveredAtMs, webhookId, attempt, startedAtMs);
    });
  }

  redeliver(webhookId: string, { tenant, principal }: Owner, nowMs: number): boolean {
    const { redeliver } = this.statements;
    return this.db.write(true, () => redeliver.run(nowMs, nowMs, webhookId, tenant, principal).changes > 0);
  }

  get(webhookId: string, { tenant, principal }: Owner): WebhookRecord | undefined {
    const row = this.statements.webhook.get(webhookId, tenant, principal);
    return row && webhookOf(row);
  }

  deliveries(webhookId: string): DeliveryRecord[] {
    return this.statements.deliveries.all(webhookId).map(deliveryOf);
  }

  list(
    state: WebhookState | undefined,
    { tenant, principal }: Owner,
    size: number,
    [createdAtMs, id]: Position = [Number.MAX_SAFE_INTEGER, ""],
  ): Rows<WebhookRecord> {
    const rows = this.statements.list.all(tenant, principal, state ?? null, createdAtMs, id, size + 1);
    return cut(rows.map(webhookOf), size, (hook) => [hook.createdAtMs, hook.webhookId]);
  }

  counts(): { readonly pending: number; readonly oldestCreatedAtMs: number | undefined } {
    const row = this.statements.counts.get();
    return { pending: Number(row?.pending), oldestCreatedAtMs: numberOf(row?.oldest) };
  }
}

function prepare(db: Database) {
  const owned = "tenant = ? AND principal = ?";
  return {
    due: db.prepare(`
      SELECT webhook_id FROM webhooks
      WHERE state = 'pending' AND due_at_ms <= ? AND host NOT IN (SELECT value FROM json_each(?))
      ORDER BY due_at_ms, webhook_id LIMIT ?`),
    begin: db.prepare(
      "UPDATE webhooks SET attempts = attempts + 1, due_at_ms = ? WHERE webhook_id = ? RETURNING *",
    ),
    addDelivery: db.prepare(`
      INSERT INTO webhook_deliveries (${DELIVERY_COLUMNS.join()})
      SELECT ${DELIVERY_COLUMNS.map(() => "?").join()} WHERE EXISTS (SELECT 1 FROM webhooks WHERE webhook_id = ?)
      ON CONFLICT DO NOTHING`),
    // One that was asked for anew while it was tried is tried again.
    settle: db.prepare(`
      UPDATE webhooks SET state = ?, due_at_ms = coalesce(?, due_at_ms), delivered_at_ms = ?
      WHERE webhook_id = ? AND attempts = ? AND since_ms <= ? AND state = 'pending'`),
    redeliver: db.prepare(`
      UPDATE webhooks SET state = 'pending', due_at_ms = ?, since_ms = ?, delivered_at_ms = NULL
      WHERE webhook_id = ? AND ${owned}`),
    webhook: db.prepare(`SELECT * FROM webhooks WHERE webhook_id = ? AND ${owned}`),
    deliveries: db.prepare("SELECT * FROM webhook_deliveries WHERE webhook_id = ? ORDER BY attempt DESC"),
    list: db.prepare(`
      SELECT * FROM webhooks WHERE ${owned} AND state = coalesce(?, state) AND (created_at_ms, webhook_id) < (?, ?)
      ORDER BY created_at_ms DESC, webhook_id DESC LIMIT ?`),
    counts: db.prepare(
      "SELECT count(*) AS pending, min(created_at_ms) AS oldest FROM webhooks WHERE state = 'pending'",
    ),
  };
}
