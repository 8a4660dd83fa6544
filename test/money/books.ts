/** The books that have to agree: what each of them says of an attempt and of a call, in one form. */
import type { Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { MeterRecord } from "../../src/emulator/meter.ts";

/** One attempt. What a book does not tell is undefined. */
export interface AttemptRow {
  /** The call's, by the gateway. */
  readonly callId: string;
  /** From 1. */
  readonly number: number;
  readonly startedAtMs: number;
  /** The caller's word for the call, which its tags and its prompt bear; the request's id where no tag tells it. */
  readonly mark: string;
  readonly operation: "chat" | "embeddings";
  readonly provider: string;
  readonly model: string;
  readonly state: "open" | "settled" | "unknown";
  readonly outcome: string;
  /** Empty when it did not fail. */
  readonly failureKind: string;
  /** Why it was made: `first`, `retry`, `hedge` or `fallback`. */
  readonly trigger: string;
  readonly priceVersion: string;
  /** `measured`, `estimated` or `unknown`. */
  readonly provenance: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly reservedPicoUsd: bigint | undefined;
  readonly costPicoUsd: bigint | undefined;
  readonly lineItems: readonly LineItem[] | undefined;
}

/** What it counts for: what became of an orphan is not known, and so it stands at what was held ready for it. */
export function bookedFor({ costPicoUsd, state, reservedPicoUsd }: AttemptRow): bigint | undefined {
  return costPicoUsd ?? (state === "unknown" ? reservedPicoUsd : undefined);
}

export interface LineItem {
  readonly kind: string;
  readonly count: bigint;
  readonly unitPicoUsd: bigint;
  readonly picoUsd: bigint;
}

export interface CallRow {
  readonly callId: string;
  readonly mark: string;
  /** `ok`, `failed` or `abandoned`. */
  readonly outcome: string;
  /** The RPC, as metrics call it. */
  readonly route: string;
  readonly attempts: number;
  readonly costPicoUsd: bigint | undefined;
  readonly savedPicoUsd: bigint | undefined;
  /** As `EXPERIMENT/VARIANT`; empty for none. */
  readonly variant: string;
}

/** A receipt, and the mark of the call whose caller got it. */
export interface MarkedReceipt {
  readonly mark: string;
  readonly receipt: Pick<Receipt, "attempts" | "cost" | "route">;
}

/** What a budget says of itself. */
export interface BudgetState {
  readonly name: string;
  readonly spentPicoUsd: bigint;
  readonly reservedPicoUsd: bigint;
}

export interface Books {
  readonly exchanges: readonly Readonly<MeterRecord>[];
  readonly attempts: readonly AttemptRow[];
  readonly calls: readonly CallRow[];
  readonly receipts: readonly MarkedReceipt[];
  /** Prometheus' text format. */
  readonly metrics: string;
  /** Of budgets that are about every call; undefined where there are none. */
  readonly budgets?: readonly BudgetState[];
}
