/** The rows of attempts and calls, as either database of a ledger gives them. */
import type { AttemptRow, CallRow, LineItem } from "./books.ts";

export interface Rows {
  readonly attempts: readonly AttemptRow[];
  readonly calls: readonly CallRow[];
}

/** A row of a database, by the names of its columns. */
export type Columns = Readonly<Record<string, unknown>>;

export function rowsOfTables(attempts: readonly Columns[], calls: readonly Columns[]): Rows {
  return { attempts: attempts.map(attemptOf), calls: calls.map(callOf) };
}

function attemptOf(row: Columns): AttemptRow {
  return {
    callId: text(row.call_id),
    number: Number(row.number),
    startedAtMs: Number(row.started_at_ms),
    mark: markOf(row),
    operation: row.operation === "embeddings" ? "embeddings" : "chat",
    provider: text(row.provider),
    model: text(row.model),
    state: row.state as AttemptRow["state"],
    outcome: text(row.outcome),
    failureKind: text(row.failure_kind),
    trigger: text(row.trigger),
    priceVersion: text(row.price_version),
    provenance: text(row.provenance),
    inputTokens: Number(row.input_tokens ?? 0),
    outputTokens: Number(row.output_tokens ?? 0),
    cachedInputTokens: Number(row.cached_input_tokens ?? 0),
    reservedPicoUsd: integer(row.reserved_pico_usd),
    costPicoUsd: integer(row.cost_pico_usd),
    lineItems: itemsOf(row.line_items),
  };
}

function callOf(row: Columns): CallRow {
  return {
    callId: text(row.call_id),
    mark: markOf(row),
    outcome: text(row.outcome),
    route: text(row.method).toLowerCase(),
    attempts: Number(row.attempts),
    costPicoUsd: integer(row.cost_pico_usd),
    savedPicoUsd: integer(row.saved_pico_usd),
    variant: text(row.variant),
  };
}

function itemsOf(column: unknown): LineItem[] | undefined {
  const items = parsed(column);
  if (!Array.isArray(items)) return undefined;
  return items.map((item) => ({
    kind: text(item.kind),
    count: integer(item.count) ?? 0n,
    unitPicoUsd: integer(item.unit_pico_usd ?? item.unitPicoUsd) ?? 0n,
    picoUsd: integer(item.pico_usd ?? item.picoUsd) ?? 0n,
  }));
}

function markOf({ tags, request_id }: Columns): string {
  return text((parsed(tags) as Columns | undefined)?.mark ?? request_id);
}

/** JSON is a text in one database, and a value in the other. */
function parsed(column: unknown): unknown {
  return typeof column === "string" && column !== "" ? JSON.parse(column) : (column ?? undefined);
}

/** 64 bits come as a bigint or as a text. */
function integer(column: unknown): bigint | undefined {
  return column === null || column === undefined ? undefined : BigInt(String(column));
}

function text(column: unknown): string {
  return column === null || column === undefined ? "" : String(column);
}
