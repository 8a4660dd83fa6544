/** What usage costs at a price, item by item. Exact, and ignorant of where either comes from. */
import type { LineItem, Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { type PicoUsd, ZERO } from "../core/money.ts";
import { type ModelPrice, ratesAt } from "./catalog.ts";

export interface Priced {
  /** What it is made of; a kind of which there is nothing has no item. */
  readonly items: LineItem[];
  /** The sum of the items. */
  readonly total: PicoUsd;
  /** Whether another price stands in for one that the catalog does not have: the provider may charge another sum. */
  readonly isAssumed: boolean;
}

/**
 * Undefined when it is not known what was used. Cached, cache-writing, heard and seen tokens are part of the input,
 * thought, spoken and drawn ones of the output, and have prices of their own; each token is in one item. Where a
 * provider reports more of the parts than of the whole, cached and thought tokens come first.
 *
 * @param images how many were read, for models that charge for each
 */
export function priced(model: ModelPrice, usage: Usage, images = 0): Priced | undefined {
  if (usage.provenance === "unknown") return undefined;
  const rates = ratesAt(model, usage.inputTokens, usage.serviceTier);
  const cached = usage.cachedInputTokens;
  const written = usage.cacheWriteTokens;
  const writtenFor1h = Math.min(usage.cacheWrite1hTokens ?? 0, written);
  const uncached = Math.max(0, usage.inputTokens - cached - written);
  const heard = Math.min(usage.audioInputTokens ?? 0, uncached);
  const seen = Math.min(usage.imageInputTokens ?? 0, uncached - heard);
  const thought = Math.min(usage.reasoningTokens, usage.outputTokens);
  const said = usage.outputTokens - thought;
  const spoken = Math.min(usage.audioOutputTokens ?? 0, said);
  const drawn = Math.min(usage.imageOutputTokens ?? 0, said - spoken);
  const items: LineItem[] = [];
  let total: bigint = ZERO;
  total += add(items, "input", uncached - heard - seen, rates.inputPicoPerToken);
  total += add(items, "cached_input", cached, rates.cachedInputPicoPerToken);
  total += add(items, "cache_write", written - writtenFor1h, rates.cacheWritePicoPerToken);
  total += add(items, "cache_write_1h", writtenFor1h, rates.cacheWrite1hPicoPerToken);
  total += add(items, "audio_input", heard, rates.audioInputPicoPerToken);
  total += add(items, "image_input", seen, rates.imageInputPicoPerToken);
  total += add(items, "output", said - spoken - drawn, rates.outputPicoPerToken);
  total += add(items, "reasoning", thought, rates.reasoningPicoPerToken);
  total += add(items, "audio_output", spoken, rates.audioOutputPicoPerToken);
  total += add(items, "image_output", drawn, rates.imageOutputPicoPerToken);
  if (model.picoPerRequest > ZERO) total += add(items, "request", 1, model.picoPerRequest);
  if (model.picoPerImage > ZERO) total += add(items, "image", images, model.picoPerImage);
  return { items, total: total as PicoUsd, isAssumed: rates.isAssumed };
}

function add(items: LineItem[], kind: string, tokens: number, unit: PicoUsd): bigint {
  if (tokens === 0) return ZERO;
  const count = BigInt(tokens);
  const cost = unit * count;
  items.push({ $typeName: "llmgateway.v1.LineItem", kind, count, unitPicoUsd: unit, picoUsd: cost });
  return cost;
}
