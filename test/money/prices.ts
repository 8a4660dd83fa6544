/** What tokens cost by the published catalog, reckoned a second time and on its own: nothing of the gateway is asked. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Tokens {
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  readonly cacheWrite1hTokens: number;
  readonly outputTokens: number;
}

interface Written {
  readonly input_per_1k_tokens: number;
  readonly output_per_1k_tokens?: number;
  readonly cached_input_per_1k_tokens?: number;
  readonly cache_write_per_1k_tokens?: number;
  readonly cache_write_1h_per_1k_tokens?: number;
}

interface WrittenModel extends Written {
  readonly aliases?: readonly string[];
  readonly context_tiers?: readonly { readonly above_input_tokens: number; readonly prices: Written }[];
}

interface Catalog {
  readonly providers: Readonly<Record<string, Readonly<Record<string, WrittenModel>>>>;
}

const FILE = join(import.meta.dirname, "..", "..", "docs", "price-catalog.json");
const catalog: Catalog = JSON.parse(readFileSync(FILE, "utf8"));

/** In pico-USD; undefined where the catalog does not know the model. */
export function costOf(provider: string, model: string, tokens: Tokens): bigint | undefined {
  const models = catalog.providers[provider] ?? {};
  const found = models[model] ?? Object.values(models).find(({ aliases }) => aliases?.includes(model));
  if (!found) return undefined;
  const tier = found.context_tiers?.findLast((one) => tokens.inputTokens > one.above_input_tokens);
  const prices = tier?.prices ?? found;
  const input = prices.input_per_1k_tokens;
  const write = prices.cache_write_per_1k_tokens ?? input;
  const { cachedInputTokens, cacheWriteTokens, cacheWrite1hTokens } = tokens;
  const parts: readonly (readonly [count: number, usdPer1k: number])[] = [
    [tokens.inputTokens - cachedInputTokens - cacheWriteTokens, input],
    [cachedInputTokens, prices.cached_input_per_1k_tokens ?? input],
    [cacheWriteTokens - cacheWrite1hTokens, write],
    [cacheWrite1hTokens, prices.cache_write_1h_per_1k_tokens ?? write],
    [tokens.outputTokens, prices.output_per_1k_tokens ?? 0],
  ];
  return parts.reduce((sum, [count, usdPer1k]) => sum + BigInt(count) * picoPerToken(usdPer1k), 0n);
}

/** A price is a whole number of pico-USD for a token; rounding takes away no more than the double's error. */
function picoPerToken(usdPer1k: number): bigint {
  return BigInt(Math.round(usdPer1k * 1e9));
}
