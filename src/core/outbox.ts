/**
 * What is kept of every webhook and of every try to deliver it, and what deliverers ask of a durable store. It knows
 * neither what a webhook says nor databases.
 */
import type { Owner, Page, Paging } from "./job-store.ts";

export type WebhookState = "pending" | "delivered" | "failed";

export interface WebhookRecord extends Owner {
  /** The job's or the batch's id. */
  readonly webhookId: string;
  readonly subject: "job" | "batch";
  readonly url: string;
  readonly state: WebhookState;
  /** How often delivery was tried, with the try under way. The number of a try is its fence. */
  readonly attempts: number;
  /** When the job or batch ended. */
  readonly createdAtMs: number;
  /** When it is tried next; of one that is being tried, when another may take it. */
  readonly dueAtMs: number;
  /** From when on the time is counted after which it is given up. */
  readonly sinceMs: number;
  readonly deliveredAtMs: number | undefined;
}

export interface DeliveryRecord {
  readonly webhookId: string;
  readonly attempt: number;
  readonly startedAtMs: number;
  readonly latencyMs: number;
  /** Undefined when the receiver did not answer. */
  readonly httpStatus: number | undefined;
  /** For people; empty for a success. */
  readonly error: string;
}

/** What follows from a try. */
export type AfterDelivery =
  | { readonly state: "delivered" | "failed" }
  | { readonly state: "pending"; readonly dueAtMs: number };

export interface Outbox {
  /**
   * Begins a try of each webhook that is due, those first that were due first. Nobody else does before `nowMs + leaseMs`.
   *
   * @param exceptHosts as URL's `host` has them: none of these
   */
  take(
    limit: number,
    nowMs: number,
    leaseMs: number,
    exceptHosts: readonly string[],
  ): Promise<WebhookRecord[]>;
  /** Keeps what a try came to. If another took it, or `redeliver` came, meanwhile, only its record is kept. */
  settle(delivery: DeliveryRecord, after: AfterDelivery): Promise<void>;
  /** Has it tried from now on, whatever became of it. False when the owner has no such webhook. */
  redeliver(webhookId: string, owner: Owner, nowMs: number): Promise<boolean>;
  get(webhookId: string, owner: Owner): Promise<WebhookRecord | undefined>;
  /** The latest first. */
  deliveries(webhookId: string): Promise<DeliveryRecord[]>;
  /** The newest first. */
  list(state: WebhookState | undefined, owner: Owner, paging: Paging): Promise<Page<WebhookRecord>>;
  counts(): Promise<{ readonly pending: number; readonly oldestCreatedAtMs: number | undefined }>;
}
