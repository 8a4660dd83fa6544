/** Prices that can be added up by hand: in pico-USD a token, one digit apart for each kind of token. */

import type { ModelPrice } from "../../src/cost/catalog.ts";
import { loadCatalog } from "../../src/cost/catalog.ts";
import type { Pricing } from "../../src/cost/means.ts";

const catalog = loadCatalog(
  JSON.stringify({
    version: "test-1",
    last_updated: "2026-01-01",
    providers: {
      openai: {
        "gpt-4o": {
          input_per_1k_tokens: 0.001,
          output_per_1k_tokens: 0.01,
          cached_input_per_1k_tokens: 0.0001,
          cache_write_per_1k_tokens: 0.1,
          max_output_tokens: 1_000,
          capabilities: { reasoning: false },
        },
        plain: {
          input_per_1k_tokens: 0.001,
          output_per_1k_tokens: 0.01,
          max_output_tokens: 1_000,
          capabilities: { reasoning: false },
        },
        thinker: {
          input_per_1k_tokens: 0.001,
          output_per_1k_tokens: 0.01,
          max_output_tokens: 8_000,
          capabilities: { reasoning: true },
        },
        untold: { input_per_1k_tokens: 0.001, output_per_1k_tokens: 0.01, max_output_tokens: 8_000 },
        boundless: { input_per_1k_tokens: 0.001, output_per_1k_tokens: 0.01 },
        narrow: { input_per_1k_tokens: 0.001, output_per_1k_tokens: 0.01, context_window_tokens: 100 },
        embedding: { input_per_1k_tokens: 0.001, output_per_1k_tokens: 0 },
        rich: {
          input_per_1k_tokens: 0.001,
          output_per_1k_tokens: 0.01,
          cache_write_per_1k_tokens: 0.003,
          cache_write_1h_per_1k_tokens: 0.004,
          audio_input_per_1k_tokens: 0.002,
          audio_output_per_1k_tokens: 0.02,
        },
        tiered: {
          input_per_1k_tokens: 0.001,
          output_per_1k_tokens: 0.01,
          context_tiers: [
            {
              above_input_tokens: 100,
              prices: { input_per_1k_tokens: 0.002, output_per_1k_tokens: 0.03 },
            },
          ],
        },
        swift: {
          input_per_1k_tokens: 0.001,
          output_per_1k_tokens: 0.01,
          max_output_tokens: 1_000,
          capabilities: { reasoning: false },
          audio_input_per_1k_tokens: 0.005,
          service_tiers: { priority: { prices: { input_per_1k_tokens: 0.002, output_per_1k_tokens: 0.02 } } },
        },
        free: { input_per_1k_tokens: 0, output_per_1k_tokens: 0 },
      },
    },
  }),
  "test",
);

export const PRICE_VERSION = catalog.version;
/** What a token of `gpt-4o` costs. */
export const INPUT = 1_000_000n;
export const OUTPUT = 10_000_000n;
export const CACHED = 100_000n;
export const CACHE_WRITE = 100_000_000n;

export function priceOf(model: string): ModelPrice {
  const price = catalog.find("openai", model);
  if (!price) throw new Error(`no price for ${model}`);
  return price;
}

/** As the meter asks for them. */
export const PRICING: Pricing = {
  version: PRICE_VERSION,
  find: ({ provider, model }) => catalog.find(provider, model),
  kindOf: (provider) => provider,
  unknownModels: "",
};
