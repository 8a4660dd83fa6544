/** Known requests as rows of plain values, and back. It knows which columns there are, and no database. */
import type { KnownRow, WhichKnown } from "../core/known-store.ts";
import type { PicoUsd } from "../core/money.ts";
import { integer, storable, tagsText } from "./rows.ts";

/** In the order of `knownRow`. */
export const KNOWN_COLUMNS = [
  "key",
  "frame",
  "text",
  "vector",
  "tenant",
  "family",
  "tags",
  "request_id",
  "stored_at_ms",
  "expires_at_ms",
  "provider",
  "model",
  "cost_pico_usd",
  "events",
] as const;

export function knownRow(row: KnownRow): (string | number | null | Uint8Array)[] {
  const { key, frame, vector, tenant, tags, storedAtMs, expiresAtMs, costPicoUsd, events } = row;
  return [
    key,
    frame,
    storable(row.text),
    vector,
    tenant,
    storable(row.family),
    tagsText(tags),
    storable(row.requestId),
    storedAtMs,
    expiresAtMs,
    row.provider,
    storable(row.model),
    integer(costPicoUsd),
    events,
  ];
}

export function knownOf(row: Readonly<Record<string, unknown>>): KnownRow {
  const cost = row.cost_pico_usd;
  return {
    key: String(row.key),
    frame: String(row.frame),
    text: String(row.text),
    vector: row.vector as Uint8Array,
    tenant: String(row.tenant),
    family: String(row.family),
    tags: typeof row.tags === "string" ? JSON.parse(row.tags) : row.tags,
    requestId: String(row.request_id),
    storedAtMs: Number(row.stored_at_ms),
    expiresAtMs: Number(row.expires_at_ms),
    provider: String(row.provider),
    model: String(row.model),
    costPicoUsd: cost === null ? undefined : (BigInt(String(cost)) as PicoUsd),
    events: row.events as Uint8Array,
  };
}

/** Tenant, family, and the tag with its value; null for what is not asked for. */
export function whichRow({ tenant, family, tag }: WhichKnown): (string | null)[] {
  return [
    tenant ?? null,
    family === undefined ? null : storable(family),
    tag?.key ?? null,
    tag?.value ?? null,
  ];
}
