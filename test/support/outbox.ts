/** An outbox in memory, which keeps what its contract says and forgets all with the test. */
import type { Owner, Page } from "../../src/core/job-store.ts";
import type { AfterDelivery, DeliveryRecord, Outbox, WebhookRecord } from "../../src/core/outbox.ts";

export class MemoryOutbox implements Outbox {
  private readonly webhooks = new Map<string, WebhookRecord>();
  private readonly records: DeliveryRecord[] = [];

  /** As the end of a job does. */
  add(webhookId: string, url: string, atMs: number): void {
    this.webhooks.set(webhookId, {
      tenant: "internal",
      principal: "tests",
      webhookId,
      subject: "job",
      url,
      state: "pending",
      attempts: 0,
      createdAtMs: atMs,
      dueAtMs: atMs,
      sinceMs: atMs,
      deliveredAtMs: undefined,
    });
  }

  /** Whoever owns it. */
  at(webhookId: string): WebhookRecord {
    const webhook = this.webhooks.get(webhookId);
    if (!webhook) throw new Error(`there is no webhook ${webhookId}`);
    return webhook;
  }

  async take(
    limit: number,
    nowMs: number,
    leaseMs: number,
    exceptHosts: readonly string[],
  ): Promise<WebhookRecord[]> {
    const due = [...this.webhooks.values()]
      .filter(({ state, dueAtMs }) => state === "pending" && dueAtMs <= nowMs)
      .filter(({ url }) => !exceptHosts.includes(URL.parse(url)?.host ?? ""))
      .sort((a, b) => a.dueAtMs - b.dueAtMs)
      .slice(0, limit);
    return due.map((webhook) =>
      this.put({ ...webhook, attempts: webhook.attempts + 1, dueAtMs: nowMs + leaseMs }),
    );
  }

  async settle(delivery: DeliveryRecord, after: AfterDelivery): Promise<void> {
    this.records.unshift(delivery);
    const webhook = this.webhooks.get(delivery.webhookId);
    if (webhook?.attempts !== delivery.attempt || webhook.state !== "pending") return;
    const deliveredAtMs = after.state === "delivered" ? delivery.startedAtMs + delivery.latencyMs : undefined;
    this.put({ ...webhook, ...after, deliveredAtMs });
  }

  async redeliver(webhookId: string, owner: Owner, nowMs: number): Promise<boolean> {
    const webhook = await this.get(webhookId, owner);
    if (webhook) this.put({ ...webhook, state: "pending", dueAtMs: nowMs, sinceMs: nowMs });
    return webhook !== undefined;
  }

  async get(webhookId: string, { tenant, principal }: Owner): Promise<WebhookRecord | undefined> {
    const webhook = this.webhooks.get(webhookId);
    return webhook?.tenant === tenant && webhook.principal === principal ? webhook : undefined;
  }

  async deliveries(webhookId: string): Promise<DeliveryRecord[]> {
    return this.records.filter((delivery) => delivery.webhookId === webhookId);
  }

  async list(state: WebhookRecord["state"] | undefined): Promise<Page<WebhookRecord>> {
    const rows = [...this.webhooks.values()].filter((webhook) => !state || webhook.state === state);
    return { rows: rows.reverse(), next: undefined };
  }

  async counts() {
    const pending = [...this.webhooks.values()].filter(({ state }) => state === "pending");
    const oldestCreatedAtMs = pending.map(({ createdAtMs }) => createdAtMs).sort((a, b) => a - b)[0];
    return { pending: pending.length, oldestCreatedAtMs };
  }

  private put(webhook: WebhookRecord): WebhookRecord {
    this.webhooks.set(webhook.webhookId, webhook);
    return webhook;
  }
}
