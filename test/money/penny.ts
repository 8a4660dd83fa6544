/** Models with prices that can be counted on fingers: reading costs nothing, and a cent buys so many tokens written. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Home } from "../support/home.ts";

export interface PennyModel {
  /** As callers name it. */
  readonly model: string;
  readonly tokensPerCent: number;
  readonly picoPerToken: bigint;
}

/** A tenth of a cent for each token: every one counts. */
export const DEAR: PennyModel = { model: "openai/gpt-dear", tokensPerCent: 10, picoPerToken: 1_000_000_000n };

/** As dear as the dearest that are sold: what must be held ready for words under way is small beside an answer. */
export const USUAL: PennyModel = { model: "openai/gpt-usual", tokensPerCent: 500, picoPerToken: 20_000_000n };

/** @returns the configuration that prices by them */
export function pennyPrices(home: Home): { readonly prices: object } {
  const catalog_path = join(home.folder, "prices.json");
  const models = [DEAR, USUAL].map(({ model, tokensPerCent }) => [
    model.slice("openai/".length),
    {
      input_per_1k_tokens: 0,
      output_per_1k_tokens: 10 / tokensPerCent,
      max_output_tokens: 20 * tokensPerCent,
      capabilities: { chat: true, embeddings: false, reasoning: false },
    },
  ]);
  const providers = { openai: Object.fromEntries(models) };
  writeFileSync(catalog_path, JSON.stringify({ version: "penny-1", last_updated: "2026-01-01", providers }));
  return { prices: { catalog_path } };
}
