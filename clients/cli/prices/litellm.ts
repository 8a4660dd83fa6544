/**
 * LiteLLM's table of models as rows of the catalog, by the names that the providers know. Which rows it has are taken
 * together here, and which are left out; what a row says is for others.
 */
import { digits, parseExact } from "./decimal.ts";
import { type Given, PRICES, rowOf } from "./litellm-row.ts";
import { aliasesOf, type Row, withAliases } from "./written.ts";

/** Where the table is kept. */
export const TABLE_URL =
  "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json";

export interface Table {
  /** By provider and model, each sorted by name. */
  readonly providers: ReadonlyMap<string, ReadonlyMap<string, Row>>;
  readonly notes: readonly Note[];
}

/** Something that the table has and the rows have not. */
export interface Note {
  readonly name: string;
  readonly why: string;
}

/** Whether the row was read from the table, and is for the next import to replace. */
export function isFromTable({ source }: Row): boolean {
  return String(source ?? "").startsWith(SOURCE);
}

/** @param date the day whose state the table has */
export function readTable(text: string, date: string): Table {
  const source = `${SOURCE} of ${date} (MIT, Copyright (c) 2023 Berri AI)`;
  const table = rowsIn(parseExact(text));
  const notes: Note[] = [];
  const rows = new Map(PROVIDERS.map((provider) => [provider, new Map<string, Row>()]));
  const regional: { provider: string; model: string; region: string; row: Row }[] = [];
  for (const [name, given] of Object.entries(table)) {
    const place = placeOf(name, given);
    if (!place) continue;
    const fee = feeOf(name, table);
    const why = named(name, () => unfit(name, given, fee));
    if (why) {
      notes.push({ name, why });
      continue;
    }
    const { provider, model, region } = place;
    const row = { ...named(name, () => rowOf(given, fee, (why) => notes.push({ name, why }))), source };
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
  const vertex = rows.get("vertex_ai") ?? new Map<string, Row>();
  for (const [name, row] of vertex) {
    // Its OpenAI-compatible endpoint wants the publisher before the model.
    if (name.startsWith("gemini-"))
      vertex.set(
        name,
        withAliases(
          row,
          [name, ...aliasesOf(row)].map((each) => `google/${each}`),
        ),
      );
  }
  const sorted = [...rows].map(([provider, byName]) => [provider, new Map([...byName].sort(byKey))] as const);
  return { providers: new Map(sorted), notes };
}

/** What is null is as good as absent. */
function rowsIn(table: Readonly<Record<string, unknown>>): Record<string, Given> {
  const rows = Object.entries(table).map(([name, row]) => {
    const fields = Object.entries(row ?? {}).filter(([, value]) => value !== null);
    return [name, Object.fromEntries(fields)] as const;
  });
  return Object.fromEntries(rows);
}

/** @throws RangeError that names the row */
function named<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw new RangeError(`${name}: ${error.message}`);
    throw error;
  }
}

/** What every row's source begins with. */
const SOURCE = "LiteLLM, model_prices_and_context_window.json";

const PROVIDERS = ["openai", "claude", "gemini", "mistral", "vertex_ai", "bedrock"];
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

/** Models that search the web for every answer. */
const SEARCHES = /^gpt-.*-search-/;

/** What such a search costs: of the sizes, the one that is the provider's default. A dated row says nothing of it. */
function feeOf(name: string, table: Readonly<Record<string, Given>>): unknown {
  if (!SEARCHES.test(name)) return undefined;
  const row = [name, name.replace(DATE, "")].find((one) => table[one]?.search_context_cost_per_query) ?? name;
  const fees = table[row]?.search_context_cost_per_query as Given | undefined;
  return fees?.search_context_size_medium;
}

const DATE = /-\d{4}-\d{2}-\d{2}$/;

/** Why a row is no price of a model by its tokens; empty when it is. */
function unfit(name: string, given: Given, fee: unknown): string {
  if (given.mode !== "chat" && given.mode !== "embedding") return `its mode is ${given.mode}`;
  if (/-commitment\//.test(name)) return "throughput that is paid for by the hour";
  const sides = given.mode === "chat" ? ["input", "output"] : ["input"];
  const sold = sides.map((side) => digits(given[`${side}_cost_per_token`]));
  if (sold.includes("")) return "no price for a token";
  // Rows of models that are not sold by the token have a 0 as well, so it is no proof that a token is free.
  if (sold.includes("0")) return "a price of 0, which may mean that it is not known";
  if (given.mode === "embedding" && !/embed/.test(name))
    return "a chat model that is said to make embeddings";
  if (name.startsWith("ft:")) return "a fine-tuned model's name has more in it";
  if (SEARCHES.test(name) && fee === undefined)
    return "each call costs a fee beside its tokens, which is missing";
  if (/^claude-4-|^bedrock\/invoke\/|^anthropic\..*@/.test(name))
    return "a name that the provider does not know";
  const isBedrock = BY_LITELLM[String(given.litellm_provider)] === "bedrock";
  if (isBedrock && /(?:^|\/)claude-/.test(name)) return "a name that the provider does not know";
  return "";
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
      base === undefined ||
      !whole ||
      JSON.stringify({ ...whole, aliases: undefined }) !== JSON.stringify({ ...row, aliases: undefined })
    )
      continue;
    byName.delete(name);
    byName.set(base, withAliases(whole, [...aliasesOf(row), name]));
  }
}

function* basesOf(name: string): Generator<string> {
  yield name.replace(/-\d{4}-\d{2}-\d{2}$|[-@]\d{8}$|@default$|@\d{3}$|-\d{3}$|-v\d$/, "");
  yield name.replace(/^(?:us|eu|apac|au|jp|global|us-gov)\./, "");
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
