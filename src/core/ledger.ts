/**
 * What is kept of every call and of every attempt, and what the ledger asks of a durable store. It knows neither
 * prices nor databases.
 */
import type { Attempt, Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Assignment, Operation, Protocol } from "./call.ts";
import type { PicoUsd } from "./money.ts";

/** Whose money it is, and by which the spend can be asked for later. */
export interface Payer {
  readonly tenant: string;
  /** The API key's name. */
  readonly principal: string;
  /** The caller's `metadata`. */
  readonly tags: Readonly<Record<string, string>>;
}

/** An attempt that is about to be sent. */
export interface Intent extends Payer {
  /** The gateway's own id for the call, a UUIDv7, unlike the request's id, which callers may choose and repeat. */
  readonly callId: string;
  readonly requestId: string;
  readonly startedAtMs: number;
  readonly operation: Operation;
  /** As `experiment/variant`; empty for a call that is part of none. */
  readonly variant?: string;
  /** As `routeName` writes it; empty for what is sent before a route is chosen. */
  readonly route: string;
  /** Pending; its number, target, trigger, price version and `reserved_pico_usd` are what is kept. */
  readonly attempt: Attempt;
  /** Whether it may take hours. */
  readonly patient?: boolean;
}

/** What became of an attempt. */
export interface Settlement {
  readonly callId: string;
  readonly settledAtMs: number;
  /** Not pending any more. Its cost is absent when it is not known. */
  readonly attempt: Attempt;
}

/** A call that is over, whether it came to an attempt or not. */
export interface CallRow extends Payer {
  readonly callId: string;
  /** W3C's, of the request that it belongs to. */
  readonly traceId: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly method: string;
  readonly operation: Operation;
  readonly protocol: Protocol;
  readonly outcome: "ok" | "failed" | "abandoned";
  readonly failureKind: string;
  readonly finishReason: string;
  readonly receipt: Receipt;
  /** Undefined for a call that is part of no experiment. */
  readonly experiment?: Assignment | undefined;
}

/** What is written together. A settlement's intent is in the same batch or in one before. */
export interface LedgerBatch {
  readonly intents: readonly Intent[];
  readonly settlements: readonly Settlement[];
  readonly calls: readonly CallRow[];
  /** Whether it is to outlast the system too; else the process's end is enough, until one that is `durable` follows. */
  readonly durable: boolean;
}

/** Which attempts are meant: those for which all of it holds. */
export interface SpendFilter {
  readonly tenant?: string;
  readonly principal?: string;
  readonly provider?: string;
  readonly model?: string;
  /** An empty value means those without the tag as well. */
  readonly tags?: Readonly<Record<string, string>>;
}

export interface LedgerStore {
  /** All of it or nothing, and as safe as it says when it resolves. To write the same batch again changes nothing. */
  append(batch: LedgerBatch): Promise<void>;
  /**
   * What attempts begun since then have cost. One that is still open counts with what is reserved for it, and one
   * whose cost is not known with nothing.
   */
  spent(filter: SpendFilter, sinceMs: number): Promise<PicoUsd>;
  /**
   * Books attempts that a gateway which is gone left open: usage and cost `unknown` but for `reserved_pico_usd`,
   * which counts as their cost in `spent`.
   *
   * @returns how many there were
   */
  closeOrphans(nowMs: number): Promise<number>;
  /** Sums what is whole hours old by the hour and by the day, and deletes rows begun before then. */
  rollUp(nowMs: number, keepSinceMs: number): Promise<void>;
  /**
   * Keeps a state of the price catalog, by its version, for ever.
   *
   * @returns false when the version was kept before with other content
   */
  keepCatalog(version: string, json: string, nowMs: number): Promise<boolean>;
}
