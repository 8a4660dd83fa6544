/** What is read off a batch's rows in SQLite. It asks nothing. */
import type { BatchOutcome } from "../../core/job-store.ts";
import { recordOf, type StoredRow } from "../job-rows.ts";
import type { Position } from "../page.ts";
import { SPLIT } from "./database.ts";

export function outcomeOf(row: StoredRow): BatchOutcome {
  return { job: recordOf(row), result: (row.body as Uint8Array | null) ?? undefined };
}

/** Of its result. */
export function bytesOf({ body }: StoredRow): number {
  return (body as Uint8Array | null)?.length ?? 0;
}

export function placeOf(row: StoredRow): Position {
  return [Number(row.batch_place), ""];
}

export function withSums(row: StoredRow): StoredRow {
  const sum = (name: string) =>
    ((row[`${name}_upper`] as bigint | null) ?? 0n) * SPLIT + ((row[`${name}_lower`] as bigint | null) ?? 0n);
  return { ...row, estimated_pico_usd: sum("estimated_pico_usd"), cost_pico_usd: sum("cost_pico_usd") };
}
