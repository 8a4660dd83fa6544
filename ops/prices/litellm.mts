/**
 * A price catalog from LiteLLM's table of models: names as the providers know them, prices for a thousand tokens
 * to the last digit, and what each model can do. It invents nothing: what a row does not say stays away.
 */

import { digits, parseExact, per1k, raw } from "./decimal.mts";

/** A row of the catalog as it is written; numbers from the file keep the digits that stand there. */
export type Row = Record<string, unknown>;

export interface WrittenCatalog {
  readonly version: string;
  readonly last_updated: string;
  readonly providers: Readonly<Record<string, Readonly<Record<string, Row>>>>;
}

/** Something that the table has and the catalog has not. */
export interface Note {
  readonly name: string;
  readonly why: string;
}

/**
 * @param text the table
 * @param own a catalog whose rows are added, or whose fields stand in for those of a row
 */
export function catalogFrom(
  text: string,
  own: string,
  { date, revision }: { date: string; revision: string },
): { catalog: WrittenCatalog; notes: Note[] } {
  const source = `LiteLLM, model_prices_and_context_window.json of ${date} (MIT, Copyright (c) 2023 Berri AI)`;
  const notes: Note[] = [];
  const rows = new Map(PROVIDERS.map((provider) => [provider, new Map<string, Row>()]));
  const regional: { provider: string; model: string; region: string; row: Row }[] = [];
  for (const [name, given] of Object.entries(parseExact(text) as Record<string, Given>)) {
    const why = unfit(name, given);
    const place = placeOf(name, given);
    if (why || !place) {
      if (why) notes.push({ name, why });
      continue;
    }
    const { provider, model, region } = place;
    const row = { ...rowOf(given), source };
    if (region) regional.push({ provider, model, region, row });
    else {
      const known = rows.get(provider)?.get(model);
      if (known)
        notes.push({ name, why: `there are two rows for ${provider}/${model}; the dearer one counts` });
      if (!known || isDearer(row, known)) rows.get(provider)?.set(model, row);
    }
  }
  for (const { provider, model, region, row } of regional) {
    const base = rows.get(provider)?.get(model);
    if (base) addRegion(base, region, row);
    else
      notes.push({
        name: `${provider}/${region}/${model}`,
        why: "the model has no price but in this region",
      });
  }
  for (const byName of rows.values()) foldAliases(byName);
  for (const [name, row] of rows.get("vertex_ai") ?? []) {
    // Its OpenAI-compatible endpoint wants the publisher before the model.
    if (name.startsWith("gemini-"))
      addAliases(
        row,
        [name, ...aliasesOf(row)].map((each) => `google/${each}`),
      );
  }
  for (const [provider, models] of Object.entries(parseExact(own).providers as WrittenCatalog["providers"])) {
    for (const [model, row] of Object.entries(models)) {
      const byName = rows.get(provider) ?? new Map<string, Row>();
      byName.set(model, merged(byName.get(model), row));
    }
  }
  const providers = [...rows].map(([provider, byName]) => [
    provider,
    Object.fromEntries([...byName].sort(byKey)),
  ]);
  return {
    catalog: {
      version: `${date}.${revision}`,
      last_updated: date,
      providers: Object.fromEntries(providers),
    },
    notes,
  };
}

/** A row a line, so that a change of a price is a change of one line. */
export function catalogText({ version, last_updated, providers }: WrittenCatalog): string {
  const blocks = Object.entries(providers).map(([provider, models]) => {
    const rows = Object.entries(models).map(
      ([model, row]) => `      ${JSON.stringify(model)}: ${JSON.stringify(row)}`,
    );
    return `    ${JSON.stringify(provider)}: {\n${rows.join(",\n")}\n    }`;
  });
  const head = `  "version": ${JSON.stringify(version)},\n  "last_updated": ${JSON.stringify(last_updated)}`;
  return `{\n${head},\n  "providers": {\n${blocks.join(",\n")}\n  }\n}\n`;
}

type Given = Readonly<Record<string, unknown>>;

const PROVIDERS = ["openai", "claude", "gemini", "mistral", "vertex_ai", "bedrock", "mock"];
const BY_LITELLM: Readonly<Record<string, string>> = {
  openai: "openai",
  anthropic: "claude",
  gemini: "gemini",
  mistral: "mistral",
  "vertex_ai-language-models": "vertex_ai",
  "vertex_ai-anthropic_models": "vertex_ai",
  "vertex_ai-embedding-models": "vertex_ai",
  bedrock: "bedrock",
  bedrock_converse: "bedrock",
};

/** The name without LiteLLM's own prefix for who serves it. */
function placeOf(
  name: string,
  given: Given,
): { provider: string; model: string; region?: string } | undefined {
  const provider = BY_LITELLM[String(given.litellm_provider)];
  if (!provider) return undefined;
  const [, region, regional] = /^bedrock\/([a-z]+(?:-[a-z]+)+-\d)\/(.+)$/.exec(name) ?? [];
  if (region && regional) return { provider, model: regional, region };
  return { provider, model: name.replace(/^(?:gemini|mistral|vertex_ai|bedrock)\//, "") };
}

/** Why a row is no price of a model by its tokens; empty when it is. */
function unfit(name: string, given: Given): string {
  if (given.mode !== "chat" && given.mode !== "embedding") return `its mode is ${given.mode}`;
  if (/-commitment\//.test(name)) return "throughput that is paid for by the hour";
  if (given.input_cost_per_token === undefined) return "no price for a token";
  // Rows of models that are not sold by the token have a 0 as well, so it is no proof that a token is free.
  const sold = given.mode === "chat" ? ["input", "output"] : ["input"];
  if (sold.some((side) => digits(given[`${side}_cost_per_token`]) === "0"))
    return "a price of 0, which may mean that it is not known";
  if (given.mode === "embedding" && !/embed/.test(name))
    return "a chat model that is said to make embeddings";
  if (name.startsWith("ft:")) return "a fine-tuned model's name has more in it";
  if (/^gpt-.*-search-/.test(name)) return "each call costs a fee beside its tokens";
  if (/^claude-4-|^bedrock\/invoke\/|^anthropic\..*@/.test(name))
    return "a name that the provider does not know";
  const isBedrock = BY_LITELLM[String(given.litellm_provider)] === "bedrock";
  if (isBedrock && /(?:^|\/)claude-/.test(name)) return "a name that the provider does not know";
  return "";
}

const PRICES = {
  input_per_1k_tokens: "input_cost_per_token",
  output_per_1k_tokens: "output_cost_per_token",
  cached_input_per_1k_tokens: "cache_read_input_token_cost",
  cache_write_per_1k_tokens: "cache_creation_input_token_cost",
  cache_write_1h_per_1k_tokens: "cache_creation_input_token_cost_above_1hr",
  audio_input_per_1k_tokens: "input_cost_per_audio_token",
  audio_output_per_1k_tokens: "output_cost_per_audio_token",
} as const;

function rowOf(given: Given): Row {
  const row = pricesOf(given, "");
  const tiers = tiersOf(given, row);
  if (tiers.length > 0) row.context_tiers = tiers;
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
  return row;
}

/** Only what the row itself has a price for: of the rest the table's tiers are contradictory. */
function tiersOf(given: Given, row: Row): Row[] {
  const kept = (prices: Row) => Object.fromEntries(Object.entries(prices).filter(([field]) => field in row));
  const sizes = Object.keys(given).flatMap(
    (field) => /^input_cost_per_token_above_(\d+)k_tokens$/.exec(field)?.[1] ?? [],
  );
  return sizes
    .map(Number)
    .sort((a, b) => a - b)
    .map((k) => ({ above_input_tokens: k * 1000, prices: kept(pricesOf(given, `_above_${k}k_tokens`)) }));
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

/** Only where it differs. */
function addRegion(base: Row, region: string, row: Row): void {
  const prices = Object.fromEntries(
    Object.keys(PRICES).flatMap((field) => (field in row ? [[field, row[field]]] : [])),
  );
  if (Object.entries(prices).every(([field, price]) => digits(price) === digits(base[field]))) return;
  base.regions = { ...(base.regions as Row | undefined), [region]: prices };
}

/** A dated or regional name of the same model at the same prices is an alias; one that differs in anything stays a row. */
function foldAliases(byName: Map<string, Row>): void {
  for (const [name, row] of [...byName].sort(byKey)) {
    const base = [...basesOf(name)].find((candidate) => candidate !== name && byName.has(candidate));
    const whole = base === undefined ? undefined : byName.get(base);
    if (
      !whole ||
      JSON.stringify({ ...whole, aliases: undefined }) !== JSON.stringify({ ...row, aliases: undefined })
    )
      continue;
    byName.delete(name);
    addAliases(whole, [...aliasesOf(row), name]);
  }
}

function aliasesOf({ aliases = [] }: Row): readonly string[] {
  return aliases as readonly string[];
}

function addAliases(row: Row, names: readonly string[]): void {
  row.aliases = [...aliasesOf(row), ...names];
}

function* basesOf(name: string): Generator<string> {
  yield name.replace(/-\d{4}-\d{2}-\d{2}$|[-@]\d{8}$|@default$|@\d{3}$|-\d{3}$|-v\d$/, "");
  yield name.replace(/^(?:us|eu|apac|au|jp|global|us-gov)\./, "");
}

function merged(known: Row | undefined, own: Row): Row {
  const aliases = [...aliasesOf(known ?? {}), ...aliasesOf(own)];
  return {
    ...known,
    ...own,
    ...(aliases.length > 0 && { aliases }),
    source: known ? `${known.source}; ${own.source}` : own.source,
  };
}

function isDearer(row: Row, than: Row): boolean {
  const fields = ["input_per_1k_tokens", "output_per_1k_tokens", "cached_input_per_1k_tokens"];
  for (const field of fields) {
    const difference = Number(digits(row[field] ?? 0)) - Number(digits(than[field] ?? 0));
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
