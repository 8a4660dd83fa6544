/**
 * One row of LiteLLM's table as a row of the catalog: its prices to the last digit, its limits and what the model can
 * do. It invents nothing: what the row does not say stays away.
 */
import { digits, per1k, raw } from "./decimal.ts";
import type { Row } from "./written.ts";

export type Given = Readonly<Record<string, unknown>>;

/** The prices of tokens, by their names in the table. */
export const PRICES = {
  input_per_1k_tokens: "input_cost_per_token",
  output_per_1k_tokens: "output_cost_per_token",
  cached_input_per_1k_tokens: "cache_read_input_token_cost",
  cache_write_per_1k_tokens: "cache_creation_input_token_cost",
  cache_write_1h_per_1k_tokens: "cache_creation_input_token_cost_above_1hr",
  audio_input_per_1k_tokens: "input_cost_per_audio_token",
  image_input_per_1k_tokens: "input_cost_per_image_token",
  reasoning_per_1k_tokens: "output_cost_per_reasoning_token",
  audio_output_per_1k_tokens: "output_cost_per_audio_token",
  image_output_per_1k_tokens: "output_cost_per_image_token",
} as const;

/** @param note told of what the row has and the catalog's row has not */
export function rowOf(given: Given, fee: unknown, note: (why: string) => void): Row {
  const row = pricesOf(given, "");
  const tiers = tiersOf(given, "", row);
  if (tiers.length > 0) row.context_tiers = tiers;
  const serviceTiers = serviceTiersOf(given, row, note);
  if (Object.keys(serviceTiers).length > 0) row.service_tiers = serviceTiers;
  if (fee !== undefined) row.usd_per_request = raw(digits(fee));
  const image = digits(given.input_cost_per_image ?? 0);
  if (image !== "0") row.usd_per_image = raw(image);
  if (given.max_input_tokens !== undefined) row.context_window_tokens = given.max_input_tokens;
  const answers = given.mode === "chat";
  if (answers && given.max_output_tokens !== undefined) row.max_output_tokens = given.max_output_tokens;
  row.capabilities = capabilitiesOf(given);
  return row;
}

/** @param suffix of the fields' names, such as `_above_200k_tokens` */
function pricesOf(given: Given, suffix: string): Row {
  const row: Row = {};
  for (const [field, theirs] of Object.entries(PRICES)) {
    const price = given[theirs + suffix];
    // A 0 is no price here either; a model for embeddings has it for what it does not write.
    if (price !== undefined && digits(price) !== "0") row[field] = raw(per1k(digits(price)));
  }
  // What is thought costs as what is said where nothing else is written.
  if (same(row.reasoning_per_1k_tokens, row.output_per_1k_tokens)) delete row.reasoning_per_1k_tokens;
  return row;
}

/** Only what the row itself has a price for: of the rest the table's tiers are contradictory. */
function kept(prices: Row, row: Row): Row {
  return Object.fromEntries(Object.entries(prices).filter(([field]) => field in row));
}

/** @param service the suffix of a service tier, or nothing for the standard one */
function tiersOf(given: Given, service: string, row: Row): Row[] {
  const sizes = Object.keys(given).flatMap((field) => {
    const [, size, tier] = /^input_cost_per_token_above_(\d+)k_tokens(.*)$/.exec(field) ?? [];
    return tier === service && size ? [Number(size)] : [];
  });
  return sizes
    .sort((a, b) => a - b)
    .map((k) => ({
      above_input_tokens: k * 1000,
      prices: kept(pricesOf(given, `_above_${k}k_tokens${service}`), row),
    }));
}

/** The suffixes of the table's columns by the providers' names of the tiers. */
const SERVICE_TIERS = { flex: "_flex", priority: "_priority", batch: "_batches" } as const;

function serviceTiersOf(given: Given, row: Row, note: (why: string) => void): Record<string, Row> {
  const tiers: Record<string, Row> = {};
  for (const [name, suffix] of Object.entries(SERVICE_TIERS)) {
    const prices = kept(pricesOf(given, suffix), row);
    const sides = ["input_per_1k_tokens", "output_per_1k_tokens"].filter((side) => side in row);
    if (Object.keys(prices).length === 0) continue;
    if (!sides.every((side) => side in prices)) note(`only a part of the prices of the tier ${name}`);
    // A tier exists since it costs something else; a copy of the row is a gap that someone filled.
    else if (sides.every((side) => same(prices[side], row[side])))
      note(`the tier ${name} costs as the standard one, which may mean that it is not known`);
    else {
      const contextTiers = tiersOf(given, suffix, row);
      tiers[name] = { prices, ...(contextTiers.length > 0 && { context_tiers: contextTiers }) };
    }
  }
  return tiers;
}

function same(one: unknown, other: unknown): boolean {
  return digits(one) === digits(other);
}

const FLAGS = {
  streaming: "supports_native_streaming",
  tools: "supports_function_calling",
  parallel_tool_calls: "supports_parallel_function_calling",
  json_schema: "supports_response_schema",
  vision: "supports_vision",
  files: "supports_pdf_input",
  reasoning: "supports_reasoning",
  system_messages: "supports_system_messages",
  prompt_caching: "supports_prompt_caching",
  sampling: "supports_sampling_params",
} as const;

function capabilitiesOf(given: Given): Row {
  const isChat = given.mode === "chat";
  const row: Row = { chat: isChat, embeddings: !isChat };
  for (const [field, theirs] of Object.entries(FLAGS))
    if (isChat && given[theirs] !== undefined) row[field] = given[theirs];
  if (Array.isArray(given.supported_regions)) row.regions = given.supported_regions;
  return row;
}
