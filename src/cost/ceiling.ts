/** What an attempt can cost at most. Knows prices alone, and estimates nothing. */
import { BATCH_TIER } from "../core/call.ts";
import { type PicoUsd, times, ZERO } from "../core/money.ts";
import { type ModelPrice, ratesAt } from "./catalog.ts";
import { dearer } from "./rates.ts";
import type { Tariff } from "./tariff.ts";

/** What is known of an attempt before it is made. */
export interface Foreseen {
  /** Whether it may write to the provider's prompt cache, and for how long at most. */
  readonly cacheWrites: "none" | "default" | "1h";
  /**
   * The service tier that is asked for. The provider may serve in the standard one instead, except for `batch`; with
   * `auto` it may choose any. Unset, it serves in the standard one.
   */
  readonly serviceTier?: string;
  /** False when nothing but text is read and written. */
  readonly media?: boolean;
  /** How many images are read, for models that charge for each. */
  readonly images?: number;
}

/** The highest that can apply to any token, and what the attempt costs beside its tokens. */
export interface WorstRates {
  readonly inputPicoPerToken: PicoUsd;
  readonly outputPicoPerToken: PicoUsd;
  readonly fixedPico: PicoUsd;
}

/**
 * No usage of at most so many input tokens costs more than these rates say, however its tokens are divided into
 * kinds: a long input's prices are among them as far as the input can be that long.
 */
export function worstRates(model: ModelPrice, maxInputTokens: number, foreseen: Foreseen): WorstRates {
  const { cacheWrites, media = true, images = 0 } = foreseen;
  let input = ZERO;
  let output = ZERO;
  for (const { rates, tiers } of possible(model, foreseen.serviceTier)) {
    for (const tier of [{ aboveInputTokens: -1, rates }, ...tiers]) {
      if (tier.aboveInputTokens >= maxInputTokens) break;
      const at = tier.rates;
      input = dearer(input, dearer(at.inputPicoPerToken, at.cachedInputPicoPerToken));
      output = dearer(output, dearer(at.outputPicoPerToken, at.reasoningPicoPerToken));
      if (cacheWrites !== "none") input = dearer(input, at.cacheWritePicoPerToken);
      if (cacheWrites === "1h") input = dearer(input, at.cacheWrite1hPicoPerToken);
      if (!media) continue;
      input = dearer(input, dearer(at.audioInputPicoPerToken, at.imageInputPicoPerToken));
      output = dearer(output, dearer(at.audioOutputPicoPerToken, at.imageOutputPicoPerToken));
    }
  }
  const fixedPico = (model.picoPerRequest + times(model.picoPerImage, images)) as PicoUsd;
  return { inputPicoPerToken: input, outputPicoPerToken: output, fixedPico };
}

/** Of so much input, what may have been written to the provider's prompt cache, where that is dearer than to read it. */
export function dearestWrites(
  model: ModelPrice,
  foreseen: Foreseen,
  inputTokens: number,
): { readonly cacheWriteTokens?: number; readonly cacheWrite1hTokens?: number } {
  const { cacheWrites } = foreseen;
  const rates = ratesAt(model, inputTokens, certainTier(foreseen));
  if (cacheWrites === "1h" && rates.cacheWrite1hPicoPerToken > rates.inputPicoPerToken)
    return { cacheWriteTokens: inputTokens, cacheWrite1hTokens: inputTokens };
  if (cacheWrites !== "none" && rates.cacheWritePicoPerToken > rates.inputPicoPerToken)
    return { cacheWriteTokens: inputTokens };
  return {};
}

/** The service tier in which it is served, as far as that is certain; empty for the standard one. */
export function certainTier({ serviceTier }: Foreseen): string {
  return serviceTier === BATCH_TIER ? BATCH_TIER : "";
}

/** In which service tiers it may be served. */
export function possible(
  { standard, serviceTiers }: ModelPrice,
  asked: string | undefined,
): Iterable<Tariff> {
  if (asked === "auto") return serviceTiers.values();
  const tariff = (asked && serviceTiers.get(asked)) || standard;
  return asked === BATCH_TIER ? [tariff] : [standard, tariff];
}
