/** What one token of each kind costs, exactly. Knows neither models nor where the prices were written. */
import { type TokenPrices, TokenPricesSchema } from "../../gen/ts/llmgateway/config/v1/prices_pb.ts";
import { type PicoUsd, picoPerToken, ZERO } from "../core/money.ts";

export interface Rates {
  readonly inputPicoPerToken: PicoUsd;
  readonly outputPicoPerToken: PicoUsd;
  /** As for fresh input when nothing else is written; so are the next, and what is heard and seen. */
  readonly cachedInputPicoPerToken: PicoUsd;
  readonly cacheWritePicoPerToken: PicoUsd;
  /** As for the provider's default time when nothing else is written. */
  readonly cacheWrite1hPicoPerToken: PicoUsd;
  readonly audioInputPicoPerToken: PicoUsd;
  readonly imageInputPicoPerToken: PicoUsd;
  /** As for what is written when nothing else is; so are the next. */
  readonly reasoningPicoPerToken: PicoUsd;
  readonly audioOutputPicoPerToken: PicoUsd;
  readonly imageOutputPicoPerToken: PicoUsd;
  /** Whether they stand in for prices that the catalog does not have, so that the cost is an estimate. */
  readonly isAssumed: boolean;
}

export type WrittenPrices = Omit<TokenPrices, "$typeName" | "$unknown">;

/** Told of each price that cannot be charged exactly, by its name in the file. */
export type Report = (field: string, description: string) => void;

/** What a model's own row says, for what is written beside it: a tier, a region. */
export interface Row {
  readonly written: WrittenPrices;
  readonly rates: Rates;
}

/** @param row a kind that it prices and `prices` does not costs no less than there */
export function ratesOf(prices: WrittenPrices, report: Report, row?: Row): Rates {
  const exact = (kind: Kind, usdPer1k: number): PicoUsd => {
    try {
      return picoPerToken(usdPer1k);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      report(TokenPricesSchema.field[`${kind}Per1kTokens`].name, error.message);
      return ZERO;
    }
  };
  const or = (kind: Kind, otherwise: PicoUsd): PicoUsd => {
    const usdPer1k = prices[`${kind}Per1kTokens`];
    if (usdPer1k !== undefined) return exact(kind, usdPer1k);
    if (row?.written[`${kind}Per1kTokens`] === undefined) return otherwise;
    return dearer(row.rates[`${kind}PicoPerToken`], otherwise);
  };
  const input = exact("input", prices.inputPer1kTokens);
  const output = exact("output", prices.outputPer1kTokens);
  const cacheWrite = or("cacheWrite", input);
  return Object.freeze<Rates>({
    inputPicoPerToken: input,
    outputPicoPerToken: output,
    cachedInputPicoPerToken: or("cachedInput", input),
    cacheWritePicoPerToken: cacheWrite,
    cacheWrite1hPicoPerToken: or("cacheWrite1h", cacheWrite),
    audioInputPicoPerToken: or("audioInput", input),
    imageInputPicoPerToken: or("imageInput", input),
    reasoningPicoPerToken: or("reasoning", output),
    audioOutputPicoPerToken: or("audioOutput", output),
    imageOutputPicoPerToken: or("imageOutput", output),
    isAssumed: false,
  });
}

/** The dearer of both for every kind: what certainly covers a price that is not known. */
export function dearest(one: Rates, other: Rates): Rates {
  const higher = (rate: `${Kind}PicoPerToken`) => dearer(one[rate], other[rate]);
  return Object.freeze<Rates>({
    inputPicoPerToken: higher("inputPicoPerToken"),
    outputPicoPerToken: higher("outputPicoPerToken"),
    cachedInputPicoPerToken: higher("cachedInputPicoPerToken"),
    cacheWritePicoPerToken: higher("cacheWritePicoPerToken"),
    cacheWrite1hPicoPerToken: higher("cacheWrite1hPicoPerToken"),
    audioInputPicoPerToken: higher("audioInputPicoPerToken"),
    imageInputPicoPerToken: higher("imageInputPicoPerToken"),
    reasoningPicoPerToken: higher("reasoningPicoPerToken"),
    audioOutputPicoPerToken: higher("audioOutputPicoPerToken"),
    imageOutputPicoPerToken: higher("imageOutputPicoPerToken"),
    isAssumed: true,
  });
}

export function dearer(one: PicoUsd, other: PicoUsd): PicoUsd {
  return one > other ? one : other;
}

type Kind =
  | "input"
  | "output"
  | "cachedInput"
  | "cacheWrite"
  | "cacheWrite1h"
  | "audioInput"
  | "imageInput"
  | "reasoning"
  | "audioOutput"
  | "imageOutput";
