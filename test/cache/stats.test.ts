/** What is counted of calls, and how many names that may take. */
import { expect, test } from "vitest";
import type { Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { CacheStats, hitRate, NOTHING } from "../../src/cache/stats.ts";
import type { Served } from "../../src/core/call.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { receiptOf } from "../../src/core/receipt.ts";
import { attemptOf, callOf } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";

function lookedUp(outcome: "hit" | "miss" | "skipped", model: string, served?: Partial<Served>): Receipt {
  const call = callOf();
  call.tally.cache = {
    $typeName: "llmgateway.v1.CacheLookup",
    outcome,
    reason: "",
    sourceRequestId: "",
  };
  if (served)
    call.tally.served = { kind: "exact", provider: "openai", model, costPicoUsd: 5n as PicoUsd, ...served };
  else call.tally.attempts.push(attemptOf({ model }));
  return receiptOf(call);
}

test("a call counts for all, for its kind, and for who answered", () => {
  const stats = new CacheStats(new VirtualClock(7));
  stats.count(receiptOf(callOf()));
  expect(stats.total).toEqual(NOTHING);
  stats.count(lookedUp("miss", "a"));
  stats.count(lookedUp("hit", "a", {}));
  stats.count(lookedUp("miss", "a", { kind: "coalesced" }));
  stats.count(lookedUp("hit", "b", { costPicoUsd: undefined }));
  stats.count(lookedUp("skipped", "b"));
  expect(stats.sinceMs).toBe(7);
  expect(stats.total).toEqual({ hits: 3, misses: 1, skipped: 1, savedPicoUsd: 10n });
  expect(hitRate(stats.total)).toBe(0.75);
  expect(Object.fromEntries(stats.kinds)).toMatchObject({
    exact: { hits: 2, savedPicoUsd: 5n },
    coalesced: { hits: 1, savedPicoUsd: 5n },
  });
  expect(Object.fromEntries(stats.models)).toEqual({
    "openai/a": { hits: 2, misses: 1, skipped: 0, savedPicoUsd: 10n },
    "openai/b": { hits: 1, misses: 0, skipped: 1, savedPicoUsd: 0n },
  });
  expect(hitRate(NOTHING)).toBe(0);
});

test("names without end are one after the first thousand", () => {
  const stats = new CacheStats(new VirtualClock());
  for (let n = 0; n < 1_200; n++) stats.count(lookedUp("miss", `model-${n}`));
  stats.count(lookedUp("miss", "model-0"));
  expect(stats.models.size).toBe(1_001);
  expect(stats.models.get("other")?.misses).toBe(200);
  expect(stats.models.get("openai/model-0")?.misses).toBe(2);
});
