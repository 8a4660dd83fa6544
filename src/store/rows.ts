/**
 * A batch of the ledger as rows of plain values, and rows as text. It knows which columns there are, and no
 * database.
 */
import type { Attempt, LineItem } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { MAX_INT32 } from "../core/int32.ts";
import type { CallRow, Intent, LedgerBatch, Settlement, SpendFilter } from "../core/ledger.ts";
import { routeName } from "../core/route-name.ts";

/** What a column holds. In a row, JSON and what exceeds a double are text. */
export type Kind = "text" | "integer" | "bigint" | "json" | "uuid";
export type Columns = Readonly<Record<string, Kind>>;
type Row = readonly (string | number | null)[];

export interface BatchRows extends Pick<LedgerBatch, "durable"> {
  readonly intents: readonly Row[];
  readonly settlements: readonly Row[];
  readonly calls: readonly Row[];
}

/** In the order of a row's values, as below. */
export const INTENT_COLUMNS = {
  call_id: "text",
  number: "integer",
  request_id: "text",
  instance: "text",
  started_at_ms: "bigint",
  tenant: "text",
  principal: "text",
  tags: "json",
  operation: "text",
  provider: "text",
  model: "text",
  route: "text",
  trigger: "text",
  price_version: "text",
  reserved_pico_usd: "bigint",
  variant: "text",
} as const satisfies Columns;

/** The first two say which attempt; the rest is what became of it. */
export const SETTLEMENT_COLUMNS = {
  call_id: "text",
  number: "integer",
  settled_at_ms: "bigint",
  served_model: "text",
  price_version: "text",
  outcome: "text",
  failure_kind: "text",
  latency_ms: "integer",
  first_event_ms: "integer",
  provenance: "text",
  input_tokens: "integer",
  cached_input_tokens: "integer",
  cache_write_tokens: "integer",
  cache_write_1h_tokens: "integer",
  audio_input_tokens: "integer",
  image_input_tokens: "integer",
  tool_use_input_tokens: "integer",
  output_tokens: "integer",
  reasoning_tokens: "integer",
  audio_output_tokens: "integer",
  image_output_tokens: "integer",
  service_tier: "text",
  reserved_pico_usd: "bigint",
  cost_pico_usd: "bigint",
  line_items: "json",
} as const satisfies Columns;

export const CALL_COLUMNS = {
  call_id: "text",
  request_id: "text",
  started_at_ms: "bigint",
  ended_at_ms: "bigint",
  tenant: "text",
  principal: "text",
  tags: "json",
  method: "text",
  operation: "text",
  protocol: "text",
  provider: "text",
  model: "text",
  policy: "text",
  route: "text",
  outcome: "text",
  failure_kind: "text",
  finish_reason: "text",
  attempts: "integer",
  provenance: "text",
  price_version: "text",
  estimated_pico_usd: "bigint",
  cost_pico_usd: "bigint",
  saved_pico_usd: "bigint",
  cache_outcome: "text",
  cache_kind: "text",
  variant: "text",
  trace_id: "text",
  variant_group: "integer",
} as const satisfies Columns;

/** @param instance the process whose attempts they are */
export function rowsOf({ intents, settlements, calls, durable }: LedgerBatch, instance: string): BatchRows {
  return {
    durable,
    intents: intents.map((intent) => intentRow(intent, instance)),
    settlements: settlements.map(settlementRow),
    calls: calls.map(callRow),
  };
}

/** JSON that PostgreSQL takes too: it knows no NUL and no half of a pair. */
export function textOf(value: unknown): string {
  const text = JSON.stringify(value);
  if (!UNSTORABLE.test(text)) return text;
  return JSON.stringify(value, (_, part) => (typeof part === "string" ? storable(part) : part));
}

/** Sorted, so that the same labels are the same text. */
export function tagsText(tags: Readonly<Record<string, string>>): string {
  const names = Object.keys(tags);
  if (names.length === 0) return "{}";
  return textOf(Object.fromEntries(names.sort().map((name) => [storable(name), tags[name]])));
}

/** What is asked for, as it is in the rows. */
export function storedFilter({ tags = {}, ...columns }: SpendFilter): {
  readonly columns: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
} {
  return { columns: JSON.parse(textOf(columns)), tags: JSON.parse(tagsText(tags)) };
}

const UNSTORABLE = /\\u(?:0000|d[89a-f])/;

export function storable(text: string): string {
  return text.replaceAll("\0", "\ufffd").toWellFormed();
}

function intentRow(intent: Intent, instance: string): Row {
  const { attempt } = intent;
  return [
    intent.callId,
    attempt.number,
    intent.requestId,
    instance,
    intent.startedAtMs,
    intent.tenant,
    intent.principal,
    tagsText(intent.tags),
    intent.operation,
    attempt.provider,
    attempt.model,
    intent.route,
    attempt.trigger,
    attempt.priceVersion,
    integer(attempt.reservedPicoUsd),
    intent.variant ?? "",
  ];
}

function settlementRow({ callId, settledAtMs, attempt }: Settlement): Row {
  const { usage } = attempt;
  return [
    callId,
    attempt.number,
    settledAtMs,
    attempt.servedModel,
    attempt.priceVersion,
    attempt.outcome,
    attempt.failureKind,
    count(attempt.latencyMs),
    count(attempt.firstEventMs),
    usage?.provenance ?? "unknown",
    count(usage?.inputTokens),
    count(usage?.cachedInputTokens),
    count(usage?.cacheWriteTokens),
    count(usage?.cacheWrite1hTokens),
    count(usage?.audioInputTokens),
    count(usage?.imageInputTokens),
    count(usage?.toolUseInputTokens),
    count(usage?.outputTokens),
    count(usage?.reasoningTokens),
    count(usage?.audioOutputTokens),
    count(usage?.imageOutputTokens),
    usage?.serviceTier ?? "",
    integer(attempt.reservedPicoUsd),
    integer(attempt.actualPicoUsd),
    lineItemsText(attempt),
  ];
}

function callRow(call: CallRow): Row {
  const { receipt } = call;
  const { cost } = receipt;
  return [
    call.callId,
    receipt.requestId,
    call.startedAtMs,
    call.endedAtMs,
    call.tenant,
    call.principal,
    tagsText(call.tags),
    call.method,
    call.operation,
    call.protocol,
    receipt.provider,
    receipt.model,
    receipt.route?.policy ?? "",
    routeName(receipt.route),
    call.outcome,
    call.failureKind,
    call.finishReason,
    receipt.attempts.length,
    cost?.provenance ?? "unknown",
    cost?.priceVersion ?? "",
    integer(cost?.estimatedPicoUsd),
    integer(cost?.actualPicoUsd),
    integer(cost?.savedPicoUsd),
    receipt.cache?.outcome ?? "",
    receipt.cacheKind,
    call.experiment ? `${call.experiment.name}/${call.experiment.variant}` : "",
    call.traceId,
    call.experiment?.group ?? null,
  ];
}

/** By hand, since JSON knows no bigint; kinds are names that need no quoting of their own. */
function lineItemsText({ lineItems }: Attempt): string {
  return `[${lineItems.map(lineItemText).join()}]`;
}

function lineItemText({ kind, count, unitPicoUsd, picoUsd }: LineItem): string {
  return `{"kind":"${kind}","count":${count},"unit_pico_usd":${unitPicoUsd},"pico_usd":${picoUsd}}`;
}

/** What no database can hold would keep its whole batch from being written; $9,223,372 stand for all above. */
export function integer(value: bigint | undefined): number | string | null {
  if (value === undefined) return null;
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  return String(value > MAX_INT64 ? MAX_INT64 : value);
}

const MAX_INT64 = 2n ** 63n - 1n;

/** The same of what is counted: a clock that was set, or a provider that counts wrongly, may tell any number. */
function count(value: number | undefined): number | null {
  return value === undefined ? null : Math.min(value, MAX_INT32);
}
