/** What one token of each kind costs, exactly. Knows neither models nor where the prices were written. */
import type { TokenPrices } from "../../gen/ts/llmgateway/config/v1/prices_pb.ts";
import { type PicoUsd, picoPerToken } from "../core/money.ts";

export interface Rates {
  readonly inputPicoPerToken: PicoUsd;
  readonly outputPicoPerToken: PicoUsd;
  /** As for fresh input when nothing else is written; so are the next and what is heard. */
  readonly cachedInputPicoPerToken: PicoUsd;
  readonly cacheWritePicoPerToken: PicoUsd;
  /** As for the provider's default time when nothing else is written. */
  readonly cacheWrite1hPicoPerToken: PicoUsd;
  readonly audioInputPicoPerToken: PicoUsd;
  /** As for what is written when nothing else is. */
  readonly audioOutputPicoPerToken: PicoUsd;
}

export type WrittenPrices = Omit<TokenPrices, "$typeName" | "$unknown">;

/** @param report told of each price that cannot be charged exactly, by its name in the file */
export function ratesOf(prices: WrittenPrices, report: (field: string, description: string) => void): Rates {
  const exact = (field: string, usdPer1k: number): PicoUsd => {
    try {
      return picoPerToken(usdPer1k);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      report(field, error.message);
      return picoPerToken(0);
    }
  };
  const or = (field: string, usdPer1k: number | undefined, otherwise: PicoUsd) =>
    usdPer1k === undefined ? otherwise : exact(field, usdPer1k);
  const input = exact("input_per_1k_tokens", prices.inputPer1kTokens);
  const output = exact("output_per_1k_tokens", prices.outputPer1kTokens);
  const cacheWrite = or("cache_write_per_1k_tokens", prices.cacheWritePer1kTokens, input);
  return {
    inputPicoPerToken: input,
    outputPicoPerToken: output,
    cachedInputPicoPerToken: or("cached_input_per_1k_tokens", prices.cachedInputPer1kTokens, input),
    cacheWritePicoPerToken: cacheWrite,
    cacheWrite1hPicoPerToken: or("cache_write_1h_per_1k_tokens", prices.cacheWrite1hPer1kTokens, cacheWrite),
    audioInputPicoPerToken: or("audio_input_per_1k_tokens", prices.audioInputPer1kTokens, input),
    audioOutputPicoPerToken: or("audio_output_per_1k_tokens", prices.audioOutputPer1kTokens, output),
  };
}
