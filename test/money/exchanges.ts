/** What the emulator's meter tells of an exchange, in the terms of the gateway's books. */
import type { MeterRecord } from "../../src/emulator/meter.ts";
import type { AttemptRow } from "./books.ts";
import type { Tokens } from "./prices.ts";

export type Exchange = Readonly<MeterRecord>;

/** Exchanges with a provider, and the row that stands for them. Texts to embed may take several to one row. */
export interface Matched {
  readonly mark: string;
  readonly exchanges: readonly Exchange[];
  readonly row: AttemptRow;
}

export function meteredBy(exchanges: readonly Exchange[]): Tokens {
  const sum = (figure: (exchange: Exchange) => number) =>
    exchanges.reduce((total, one) => total + figure(one), 0);
  return {
    inputTokens: sum(({ inputTokens }) => inputTokens),
    cachedInputTokens: sum(({ cachedInputTokens }) => cachedInputTokens),
    cacheWriteTokens: sum(({ cacheWriteTokens }) => cacheWriteTokens),
    cacheWrite1hTokens: sum(({ cacheWrite1hTokens }) => cacheWrite1hTokens),
    outputTokens: sum(({ outputTokens }) => outputTokens),
  };
}

/** By the paths that the emulator serves its formats at. */
export function providerOf({ path }: Exchange): string {
  const place = PLACES.find(([, part]) => path.includes(part));
  return place?.[0] ?? "openai";
}

const PLACES: readonly (readonly [provider: string, part: string])[] = [
  ["claude", "/anthropic/"],
  ["mistral", "/mistral/"],
  ["bedrock", "/bedrock/"],
  ["vertex_ai", "/projects/"],
  ["gemini", "/v1beta/"],
];
