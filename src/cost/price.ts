/** What usage costs at a price. Exact, and ignorant of where either comes from. */
import type { Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { type PicoUsd, sum, times, ZERO } from "../core/money.ts";
import type { ModelPrice } from "./catalog.ts";

/**
 * Undefined when it is not known what was used. Cached and cache-writing tokens
 * are part of the input and have prices of their own.
 */
export function price(model: ModelPrice, usage: Usage): PicoUsd | undefined {
  if (usage.provenance === "unknown") return undefined;
  const fresh = Math.max(0, usage.inputTokens - usage.cachedInputTokens - usage.cacheWriteTokens);
  return [
    times(model.inputPicoPerToken, fresh),
    times(model.cachedInputPicoPerToken, usage.cachedInputTokens),
    times(model.cacheWritePicoPerToken, usage.cacheWriteTokens),
    times(model.outputPicoPerToken, usage.outputTokens),
  ].reduce(sum, ZERO);
}
