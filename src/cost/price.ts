/** What usage costs at a price. Exact, and ignorant of where either comes from. */
import type { Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { type PicoUsd, sum, times, ZERO } from "../core/money.ts";
import { type ModelPrice, ratesAt } from "./catalog.ts";

/**
 * Undefined when it is not known what was used. Cached, cache-writing and heard
 * tokens are part of the input, spoken ones of the output, and have prices of their own.
 */
export function price(model: ModelPrice, usage: Usage): PicoUsd | undefined {
  if (usage.provenance === "unknown") return undefined;
  const rates = ratesAt(model, usage.inputTokens);
  const written = usage.cacheWriteTokens;
  const writtenFor1h = Math.min(usage.cacheWrite1hTokens ?? 0, written);
  const uncached = Math.max(0, usage.inputTokens - usage.cachedInputTokens - written);
  const heard = Math.min(usage.audioInputTokens ?? 0, uncached);
  const spoken = Math.min(usage.audioOutputTokens ?? 0, usage.outputTokens);
  return [
    times(rates.inputPicoPerToken, uncached - heard),
    times(rates.audioInputPicoPerToken, heard),
    times(rates.cachedInputPicoPerToken, usage.cachedInputTokens),
    times(rates.cacheWritePicoPerToken, written - writtenFor1h),
    times(rates.cacheWrite1hPicoPerToken, writtenFor1h),
    times(rates.outputPicoPerToken, usage.outputTokens - spoken),
    times(rates.audioOutputPicoPerToken, spoken),
  ].reduce(sum, ZERO);
}
