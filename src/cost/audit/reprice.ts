/** What one booked attempt costs at other prices, by the tokens that were recorded. It sums nothing. */
import type { Attempt, Usage } from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Target } from "../../core/call.ts";
import { type PicoUsd, ZERO } from "../../core/money.ts";
import type { BookedAttempt } from "../../core/usage-store.ts";
import type { ModelPrice } from "../catalog.ts";
import { priced } from "../price.ts";

export interface Prices {
  /** Undefined when the price is not known. */
  find(target: Target, atMs: number): ModelPrice | undefined;
}

export type Repriced =
  | {
      readonly cost: PicoUsd;
      /** Whether another price stands in for one that the catalog does not have. */
      readonly isAssumed: boolean;
      /** Absent for what cost nothing, whatever the prices are. */
      readonly model?: ModelPrice;
    }
  | { readonly cost?: undefined; readonly why: "unknown_usage" | "unknown_model" };

/**
 * By the prices that were in force when it began.
 *
 * @param target where it is priced; its own place when absent
 * @param usage what is priced; its own when absent
 */
export function repriced(
  { attempt, state, startedAtMs }: BookedAttempt,
  prices: Prices,
  target: Target = attempt,
  usage: Usage | undefined = attempt.usage,
): Repriced {
  if (state !== "settled" || !usage || usage.provenance === "unknown") return { why: "unknown_usage" };
  if (isFree(attempt)) return { cost: ZERO, isAssumed: false };
  const model = prices.find(target, startedAtMs);
  const cost = model && priced(model, usage, imagesOf(attempt));
  if (!cost) return { why: "unknown_model" };
  return { cost: cost.total, isAssumed: cost.isAssumed, model };
}

/** What never reached the provider, or what it refused: no price of a request is charged for it. */
function isFree({ usage, actualPicoUsd, lineItems }: Attempt): boolean {
  return usage?.totalTokens === 0 && actualPicoUsd === 0n && lineItems.length === 0;
}

/** Their number is kept only where each was paid for. */
function imagesOf({ lineItems }: Attempt): number {
  return Number(lineItems.find(({ kind }) => kind === "image")?.count ?? 0);
}
