/** Idempotency keys as rows of plain values, and back. It knows which columns there are, and no database. */
import type { FailureKind } from "../core/failure.ts";
import type { Claimed, KeyEnd } from "../core/idempotency-store.ts";
import type { PicoUsd } from "../core/money.ts";
import { integer, storable } from "./rows.ts";

/** In the order of `endRow`. */
export const END_COLUMNS = [
  "ended_at_ms",
  "provider",
  "model",
  "cost_pico_usd",
  "failure_kind",
  "failure_message",
  "events",
] as const;

export function endRow({ atMs, answer, failure }: KeyEnd): (string | number | null | Uint8Array)[] {
  return [
    atMs,
    storable(answer?.provider ?? ""),
    storable(answer?.model ?? ""),
    integer(answer?.costPicoUsd),
    failure?.kind ?? "",
    storable(failure?.message ?? ""),
    answer?.events ?? null,
  ];
}

/**
 * What there is under a key that is not the caller's.
 *
 * @param unended what became of a call that has not ended
 */
export function claimedOf(
  row: Readonly<Record<string, unknown>>,
  unended: "here" | "elsewhere" | "lost",
): Claimed {
  const holder = {
    callId: String(row.call_id),
    requestId: String(row.request_id),
    fingerprint: String(row.fingerprint),
  };
  if (row.ended_at_ms === null) return { ...holder, state: unended };
  return { ...holder, state: "ended", end: endOf(row) };
}

function endOf(row: Readonly<Record<string, unknown>>): KeyEnd {
  const atMs = Number(row.ended_at_ms);
  if (row.failure_kind !== "") {
    const kind = row.failure_kind as FailureKind;
    return { atMs, failure: { kind, message: String(row.failure_message) } };
  }
  return {
    atMs,
    answer: {
      provider: String(row.provider),
      model: String(row.model),
      costPicoUsd: row.cost_pico_usd === null ? undefined : (BigInt(String(row.cost_pico_usd)) as PicoUsd),
      events: row.events as Uint8Array,
    },
  };
}
