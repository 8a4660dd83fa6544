/**
 * What is asked of a durable store about what was spent: sums by any of their keys, the rows behind them, and single
 * requests. It knows neither prices nor databases.
 */
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Operation } from "./call.ts";
import type { Page, Paging } from "./job-store.ts";
import type { Payer, SpendFilter } from "./ledger.ts";
import type { PicoUsd } from "./money.ts";

/** By what spend can be told apart. */
export type Dimension =
  | "provider"
  | "model"
  | "operation"
  | "tenant"
  /** The API key's name, which rows know as their principal. */
  | "key"
  | "route"
  /** Begun in UTC, such as `2026-08-01T14:00:00Z`. */
  | "hour"
  /** Of UTC, such as `2026-08-01`. */
  | "day"
  /** The value of a tag; empty for those without it. */
  | `tag:${string}`;

/** Which attempts and calls are meant: those for which all of it holds. */
export interface UsageFilter extends SpendFilter {
  /** As `routeName` writes it. */
  readonly route?: string;
  readonly operation?: string;
}

export interface Period {
  readonly sinceMs: number;
  /** Not of it any more. */
  readonly untilMs: number;
}

/** Whole hours of UTC that hold `sinceMs` and all before `untilMs`: what older rows have come to is kept by the hour. */
export interface UsageQuery extends Period {
  readonly groupBy: readonly Dimension[];
  readonly filter: UsageFilter;
}

/** Sums over attempts by who was asked, and over calls by who served, each in the hour in which it began. */
export interface UsageSums {
  /** In the order of `groupBy`. */
  readonly group: readonly string[];
  /** Those that are over. */
  readonly attempts: number;
  readonly ok: number;
  readonly failed: number;
  readonly abandoned: number;
  /** Of the attempts, those of which nobody knows what became. */
  readonly unknown: number;
  /** Of the attempts, those whose tokens the gateway counted. */
  readonly estimated: number;
  /** Of the attempts, those whose price is not known. */
  readonly unpriced: number;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  /** Of attempts whose cost is known. */
  readonly costPicoUsd: bigint;
  /** Of the cost, that of estimated attempts. */
  readonly estimatedPicoUsd: bigint;
  /** The most that attempts cost of which nobody knows what became; beside the cost. */
  readonly unknownPicoUsd: bigint;
  /** Calls that are over. */
  readonly requests: number;
  /** Of the calls, those that failed. */
  readonly errors: number;
  /** Of the calls, those that were answered without an attempt of their own. */
  readonly cachedRequests: number;
  readonly savedPicoUsd: bigint;
  /** What was booked of the attempts since, beside the cost; below 0 where they cost less. */
  readonly adjustmentPicoUsd: bigint;
  /** Attempts that went well, by how long they took: how many there are in each bucket of `latency.ts`. */
  readonly latencies: readonly number[];
}

/** An attempt as it was booked. */
export interface BookedAttempt extends Payer {
  readonly callId: string;
  readonly requestId: string;
  readonly startedAtMs: number;
  /** Undefined while it is open. */
  readonly settledAtMs: number | undefined;
  readonly operation: Operation;
  readonly route: string;
  /** Of an `unknown` one nobody knows what became: it counts as the `reserved_pico_usd`, if there is any. */
  readonly state: "open" | "settled" | "unknown";
  /** Its dollars are left out: they are pico-dollars here. Its usage is absent while it is open. */
  readonly attempt: Attempt;
}

/** A call that is over, as it was booked. */
export interface BookedCall extends Payer {
  readonly callId: string;
  /** Empty where it was not kept yet. */
  readonly traceId: string;
  readonly requestId: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly method: string;
  readonly operation: Operation;
  readonly protocol: string;
  readonly provider: string;
  readonly model: string;
  readonly route: string;
  readonly outcome: string;
  readonly failureKind: string;
  readonly finishReason: string;
  /** How it was answered without an attempt of its own; empty otherwise. */
  readonly cacheKind: string;
  readonly attempts: number;
  readonly provenance: string;
  readonly priceVersion: string;
  readonly estimatedPicoUsd: PicoUsd | undefined;
  readonly costPicoUsd: PicoUsd | undefined;
  readonly savedPicoUsd: PicoUsd | undefined;
}

export interface CallFilter extends UsageFilter, Period {
  readonly outcome?: string;
  readonly failureKind?: string;
}

export interface UsageStore {
  /**
   * In no order, and none for groups without anything.
   *
   * @throws Failure when there are more than `MAX_GROUPS`
   */
  usage(query: UsageQuery): Promise<readonly UsageSums[]>;
  /** Attempts that are over and were begun then, in the order of their begin. */
  attempts(period: Period, paging: Paging): Promise<Page<BookedAttempt>>;
  /** Calls that were begun then, the latest first. */
  requests(filter: CallFilter, paging: Paging): Promise<Page<BookedCall>>;
  /**
   * By its call's id or its own. The latest, where callers have repeated it.
   *
   * @returns the call is undefined while it goes on; nothing at all when there is no such request
   */
  request(id: string): Promise<BookedRequest | undefined>;
}

export interface BookedRequest {
  readonly call: BookedCall | undefined;
  readonly attempts: readonly BookedAttempt[];
}

/** So many at most are held in memory. */
export const MAX_GROUPS = 100_000;
