/** What a call came to, read off its tally. */
import type { Attempt, Cost, ExperimentVariant, Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Assignment, Call } from "./call.ts";
import { type PicoUsd, sum, toUsd, ZERO } from "./money.ts";

export function receiptOf(call: Call): Receipt {
  const { attempts, route, dropped, cache, moderation, template, served, experiment } = call.tally;
  const told = served ?? tellingOf(attempts);
  return {
    $typeName: "llmgateway.v1.Receipt",
    requestId: call.context.requestId,
    provider: told?.provider ?? "",
    model: told?.model ?? "",
    cached: served !== undefined,
    cacheKind: served?.kind ?? "",
    route,
    cost: costOf(call),
    // An attempt that is still open may be settled later: the receipt keeps what is true now.
    attempts: attempts.map((attempt) => ({ ...attempt })),
    dropped: [...dropped],
    ...(cache ? { cache } : {}),
    ...(experiment ? { experiment: variantOf(experiment) } : {}),
    ...(template ? { template } : {}),
    moderation: moderation.map((found) => ({ ...found })),
  };
}

export function variantOf({ name, variant }: Assignment): ExperimentVariant {
  return { $typeName: "llmgateway.v1.ExperimentVariant", name, variant };
}

/** The one that served, or else the last that failed by itself: not one that another overtook, or that only looked up. */
export function tellingOf(all: readonly Attempt[]): Attempt | undefined {
  const attempts = all.length === 0 ? all : all.filter(({ trigger }) => trigger !== "semantic_cache");
  if (attempts.length < 2) return attempts[0];
  return (
    attempts.findLast(({ outcome }) => outcome === "ok") ??
    attempts.findLast(({ outcome, failureKind }) => outcome !== "pending" && failureKind !== "hedge_lost") ??
    attempts.at(-1)
  );
}

/**
 * What the answer cost who paid for it, without what it cost to look for another; undefined when that is not known. Who
 * was given it for nothing tells what it cost who gave it.
 */
export function costOfAnswer({ tally }: Call): PicoUsd | undefined {
  if (tally.served) return tally.served.costPicoUsd;
  const own = tally.attempts.filter(({ trigger }) => trigger !== "semantic_cache");
  return own.some(({ actualPicoUsd }) => actualPicoUsd === undefined)
    ? undefined
    : own.reduce((total, { actualPicoUsd }) => sum(total, actualPicoUsd as PicoUsd), ZERO);
}

function costOf(call: Call): Cost {
  const { attempts, estimated, priceVersion, served } = call.tally;
  const cost: Cost = {
    $typeName: "llmgateway.v1.Cost",
    inputTokens: 0,
    outputTokens: 0,
    totalTokens: 0,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    savedUsd: toUsd(served?.costPicoUsd ?? ZERO),
    savedPicoUsd: served?.costPicoUsd ?? ZERO,
    provenance: "measured",
    priceVersion,
  };
  if (estimated !== undefined) {
    cost.estimatedPicoUsd = estimated;
    cost.estimatedUsd = toUsd(estimated);
  }
  let actual: bigint | undefined = ZERO;
  for (const attempt of attempts) {
    actual =
      actual === undefined || attempt.actualPicoUsd === undefined
        ? undefined
        : actual + attempt.actualPicoUsd;
    add(cost, attempt);
  }
  if (actual === undefined) cost.provenance = "unknown";
  else {
    cost.actualPicoUsd = actual;
    cost.actualUsd = toUsd(actual as PicoUsd);
  }
  return cost;
}

function add(cost: Cost, { usage, priceAssumed }: Attempt): void {
  if (!usage) return;
  cost.inputTokens += usage.inputTokens;
  cost.outputTokens += usage.outputTokens;
  cost.totalTokens += usage.totalTokens;
  cost.cachedInputTokens += usage.cachedInputTokens;
  cost.cacheWriteTokens += usage.cacheWriteTokens;
  cost.reasoningTokens += usage.reasoningTokens;
  if (usage.provenance !== "measured" || priceAssumed) cost.provenance = "estimated";
}
