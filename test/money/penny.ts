/** A model with a price that can be counted on fingers: nothing to read, and a tenth of a cent for each token written. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Home } from "./rig.ts";

export const PENNY_MODEL = "openai/gpt-penny";
export const PICO_PER_TOKEN = 1_000_000_000n;
/** A cent's worth. */
export const TOKENS_PER_CENT = 10;

/** @returns the configuration that prices by it */
export function pennyPrices(home: Home): object {
  const catalog_path = join(home.folder, "prices.json");
  const model = {
    input_per_1k_tokens: 0,
    output_per_1k_tokens: 1,
    max_output_tokens: 200,
    capabilities: { chat: true, embeddings: false, reasoning: false },
  };
  const catalog = {
    version: "penny-1",
    last_updated: "2026-01-01",
    providers: { openai: { "gpt-penny": model } },
  };
  writeFileSync(catalog_path, JSON.stringify(catalog));
  return { prices: { catalog_path } };
}
