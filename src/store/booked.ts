/** Attempts and calls as they were booked, read off rows of either engine. It knows which columns there are. */
import type { Attempt, LineItem } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Operation } from "../core/call.ts";
import { type PicoUsd, toUsd } from "../core/money.ts";
import { type Provenance, usage } from "../core/usage.ts";
import type { BookedAttempt, BookedCall } from "../core/usage-store.ts";
import { numberOf, type StoredRow } from "./job-rows.ts";
import { CALL_COLUMNS, type Columns, INTENT_COLUMNS, SETTLEMENT_COLUMNS } from "./rows.ts";

/** What `attemptOf` reads, as a list behind SELECT. */
export const ATTEMPT_LIST = listOf({ ...INTENT_COLUMNS, ...SETTLEMENT_COLUMNS, state: "text" });
/** What `callOf` reads. */
export const CALL_LIST = listOf(CALL_COLUMNS);

export function attemptOf(row: StoredRow): BookedAttempt {
  return {
    ...payerOf(row),
    callId: text(row.call_id),
    requestId: text(row.request_id),
    startedAtMs: Number(row.started_at_ms),
    settledAtMs: numberOf(row.settled_at_ms),
    operation: row.operation as Operation,
    route: text(row.route),
    state: row.state as BookedAttempt["state"],
    attempt: messageOf(row),
  };
}

export function callOf(row: StoredRow): BookedCall {
  return {
    ...payerOf(row),
    callId: text(row.call_id),
    traceId: text(row.trace_id),
    requestId: text(row.request_id),
    startedAtMs: Number(row.started_at_ms),
    endedAtMs: Number(row.ended_at_ms),
    method: text(row.method),
    operation: row.operation as Operation,
    protocol: text(row.protocol),
    provider: text(row.provider),
    model: text(row.model),
    route: text(row.route),
    outcome: text(row.outcome),
    failureKind: text(row.failure_kind),
    finishReason: text(row.finish_reason),
    cacheKind: text(row.cache_kind),
    attempts: Number(row.attempts),
    provenance: text(row.provenance),
    priceVersion: text(row.price_version),
    estimatedPicoUsd: amountOf(row.estimated_pico_usd),
    costPicoUsd: amountOf(row.cost_pico_usd),
    savedPicoUsd: amountOf(row.saved_pico_usd),
  };
}

function messageOf(row: StoredRow): Attempt {
  const [reserved, cost, firstEventMs] = [
    amountOf(row.reserved_pico_usd),
    amountOf(row.cost_pico_usd),
    numberOf(row.first_event_ms),
  ];
  const used = usageOf(row);
  return {
    $typeName: "llmgateway.v1.Attempt",
    number: Number(row.number),
    provider: text(row.provider),
    model: text(row.model),
    outcome: text(row.outcome),
    failureKind: text(row.failure_kind),
    latencyMs: Number(row.latency_ms ?? 0),
    ...(firstEventMs === undefined ? {} : { firstEventMs }),
    ...(used ? { usage: used } : {}),
    ...(cost === undefined ? {} : { actualUsd: toUsd(cost), actualPicoUsd: cost }),
    priceVersion: text(row.price_version),
    servedModel: text(row.served_model),
    lineItems: lineItemsOf(text(row.line_items)),
    ...(reserved === undefined ? {} : { reservedPicoUsd: reserved }),
    // What was assumed is not kept.
    priceAssumed: false,
    trigger: text(row.trigger),
  };
}

function usageOf(row: StoredRow) {
  if (row.input_tokens === null) return undefined;
  const optional = {
    cacheWrite1hTokens: numberOf(row.cache_write_1h_tokens),
    audioInputTokens: numberOf(row.audio_input_tokens),
    imageInputTokens: numberOf(row.image_input_tokens),
    toolUseInputTokens: numberOf(row.tool_use_input_tokens),
    audioOutputTokens: numberOf(row.audio_output_tokens),
    imageOutputTokens: numberOf(row.image_output_tokens),
  };
  const known = Object.entries(optional).filter(([, count]) => count !== undefined);
  return usage(row.provenance as Provenance, {
    inputTokens: Number(row.input_tokens),
    cachedInputTokens: Number(row.cached_input_tokens ?? 0),
    cacheWriteTokens: Number(row.cache_write_tokens ?? 0),
    outputTokens: Number(row.output_tokens ?? 0),
    reasoningTokens: Number(row.reasoning_tokens ?? 0),
    serviceTier: text(row.service_tier),
    ...Object.fromEntries(known),
  });
}

/** By what stands in the text: a double does not hold every amount. */
function lineItemsOf(json: string): LineItem[] {
  const exact = (key: string, value: unknown, { source }: { source?: string }) =>
    typeof value === "number" && key !== "" ? BigInt(source ?? value) : value;
  const items = JSON.parse(json, exact as (key: string, value: unknown) => unknown);
  return items.map(({ kind, count, unit_pico_usd, pico_usd }: Record<string, never>) => ({
    $typeName: "llmgateway.v1.LineItem",
    kind,
    count,
    unitPicoUsd: unit_pico_usd,
    picoUsd: pico_usd,
  }));
}

function payerOf(row: StoredRow) {
  return { tenant: text(row.tenant), principal: text(row.principal), tags: JSON.parse(text(row.tags)) };
}

/** Amounts are text: one may exceed a double. JSON is, too. */
function listOf(columns: Columns): string {
  return Object.entries(columns)
    .map(([name, kind]) =>
      kind === "json" || name.endsWith("_pico_usd") ? `CAST(${name} AS text) AS ${name}` : name,
    )
    .join();
}

function text(value: unknown): string {
  return String(value);
}

function amountOf(value: unknown): PicoUsd | undefined {
  return value === null ? undefined : (BigInt(text(value)) as PicoUsd);
}
