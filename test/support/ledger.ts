/** Rows of the ledger to write, with what a test does not care about filled in. */
import type { Attempt, Route } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { CallRow, Intent, LedgerBatch, Settlement } from "../../src/core/ledger.ts";
import { receiptOf } from "../../src/core/receipt.ts";
import { usage } from "../../src/core/usage.ts";
import { attemptOf, callOf } from "./call.ts";

export function intentOf(
  callId: string,
  init: Partial<Omit<Intent, "attempt">> & { attempt?: Partial<Omit<Attempt, "$typeName">> } = {},
): Intent {
  const { attempt, ...fields } = init;
  return {
    callId,
    requestId: `request of ${callId}`,
    startedAtMs: 1_000_000,
    tenant: "internal",
    principal: "anonymous",
    tags: {},
    operation: "chat",
    route: "explicit",
    ...fields,
    attempt: attemptOf({ priceVersion: "1", reservedPicoUsd: 900n, ...attempt }),
  };
}

/** By default it went well, and cost 500. */
export function settlementOf(callId: string, attempt: Partial<Omit<Attempt, "$typeName">> = {}): Settlement {
  const usual = { outcome: "ok", priceVersion: "1", actualPicoUsd: 500n };
  const used = usage("measured", { inputTokens: 10, outputTokens: 20 });
  return { callId, settledAtMs: 1_000_100, attempt: attemptOf({ ...usual, usage: used, ...attempt }) };
}

export function callRowOf(callId: string, fields: Partial<CallRow> = {}): CallRow {
  return {
    callId,
    traceId: "0af7651916cd43dd8448eb211c80319c",
    startedAtMs: 1_000_000,
    endedAtMs: 1_000_200,
    tenant: "internal",
    principal: "anonymous",
    tags: {},
    method: "Chat",
    operation: "chat",
    protocol: "rest",
    outcome: "ok",
    failureKind: "",
    finishReason: "stop",
    receipt: receiptOf(callOf()),
    ...fields,
  };
}

export function batchOf(batch: Partial<LedgerBatch>): LedgerBatch {
  return { intents: [], settlements: [], calls: [], durable: true, ...batch };
}

/** What a call came to, as far as a ledger keeps it. */
export function receiptWith(fields: {
  readonly requestId?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly policy?: string;
  readonly name?: string;
  readonly savedPicoUsd?: bigint;
  readonly cacheKind?: string;
}): CallRow["receipt"] {
  const { policy = "explicit", name = "", savedPicoUsd = 0n, ...told } = fields;
  const receipt = receiptOf(callOf());
  const route = {
    $typeName: "llmgateway.v1.Route" as const,
    policy,
    name,
    reason: "",
    fallbackChain: "",
    candidates: [],
  } satisfies Route;
  if (receipt.cost) receipt.cost.savedPicoUsd = savedPicoUsd;
  return { ...receipt, ...told, route };
}
