/** Models with prices that can be counted on fingers: reading costs nothing, and a cent buys so many tokens written. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { splitName } from "../../src/core/target.ts";
import type { Home } from "../support/home.ts";

export interface PennyModel {
  /** As callers name it. */
  readonly model: string;
  readonly tokensPerCent: number;
  readonly picoPerToken: bigint;
}

/** A tenth of a cent for each token: every one counts. */
export const DEAR: PennyModel = { model: "openai/gpt-dear", tokensPerCent: 10, picoPerToken: 1_000_000_000n };

/** Another that costs the same, for whoever is asked next. */
export const AS_DEAR: PennyModel = { ...DEAR, model: "mistral/mistral-dear" };

/** As dear as the dearest that are sold: what must be held ready for words under way is small beside an answer. */
export const USUAL: PennyModel = { model: "openai/gpt-usual", tokensPerCent: 500, picoPerToken: 20_000_000n };

/** @returns the configuration that prices by them */
export function pennyPrices(home: Home): { readonly prices: object } {
  const catalog_path = join(home.folder, "prices.json");
  const providers: Record<string, Record<string, object>> = {};
  for (const { model: name, tokensPerCent } of [DEAR, AS_DEAR, USUAL]) {
    const { provider, model } = splitName(name);
    providers[provider] = { ...providers[provider], [model]: priceOf(tokensPerCent) };
  }
  writeFileSync(catalog_path, JSON.stringify({ version: "penny-1", last_updated: "2026-01-01", providers }));
  return { prices: { catalog_path } };
}

function priceOf(tokensPerCent: number): object {
  return {
    input_per_1k_tokens: 0,
    output_per_1k_tokens: 10 / tokensPerCent,
    max_output_tokens: 20 * tokensPerCent,
    capabilities: { chat: true, embeddings: false, reasoning: false },
  };
}
