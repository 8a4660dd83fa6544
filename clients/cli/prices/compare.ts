/** What differs between the catalog's newest rows and the table, in dollars for a million tokens. Decides nothing. */
import { digits, shift } from "./decimal.ts";
import { isFromTable, type Table } from "./litellm.ts";
import { aliasesOf, newest, type Row, type Rows, type WrittenCatalog } from "./written.ts";

export interface Difference {
  readonly kind: "added" | "removed" | "changed";
  /** As `provider/model`. */
  readonly name: string;
  /** What there is, or what it was and is, such as `input $2.5 → $3`. */
  readonly facts: readonly string[];
}

/** Rows with a source of their own are not compared: they say what the table has not. */
export function differences(catalog: WrittenCatalog, table: Table): Difference[] {
  const found: Difference[] = [];
  for (const [provider, rows] of table.providers) {
    const models = catalog.providers.get(provider) ?? new Map<string, Rows>();
    const ours = ownNames(models);
    for (const [model, row] of rows) {
      const known = models.get(model);
      const name = `${provider}/${model}`;
      if (ours.has(model)) continue;
      if (!known) found.push({ kind: "added", name, facts: shown(row) });
      else {
        const facts = changed(newest(known), withoutNames(row, ours));
        if (facts.length > 0) found.push({ kind: "changed", name, facts });
      }
    }
  }
  for (const [provider, models] of catalog.providers) {
    for (const [model, rows] of models) {
      const row = newest(rows);
      if (!isFromTable(row) || table.providers.get(provider)?.has(model)) continue;
      found.push({ kind: "removed", name: `${provider}/${model}`, facts: shown(row) });
    }
  }
  return found;
}

/** The names and aliases of the rows that have a source of their own. */
export function ownNames(models: ReadonlyMap<string, Rows>): ReadonlySet<string> {
  const own = [...models].filter(([, rows]) => !isFromTable(newest(rows)));
  return new Set(own.flatMap(([model, rows]) => [model, ...rows.flatMap(aliasesOf)]));
}

export function withoutNames(row: Row, names: ReadonlySet<string>): Row {
  const { aliases: _, ...rest } = row;
  const left = aliasesOf(row).filter((alias) => !names.has(alias));
  return left.length > 0 ? { ...rest, aliases: left } : rest;
}

/** Whether anything differs that is paid for. */
export function hasOtherPrices(one: Row, other: Row): boolean {
  return changed(one, other).some((fact) => fact.includes("$"));
}

function changed(before: Row, after: Row): string[] {
  const [was, is] = [flat(before), flat(after)];
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter((name) => was.get(name) !== is.get(name))
    .map((name) => `${name} ${was.get(name) ?? "none"} → ${is.get(name) ?? "none"}`);
}

/** The prices alone. */
function shown(row: Row): string[] {
  return [...flat(row)].flatMap(([name, value]) => (value.startsWith("$") ? [`${name} ${value}`] : []));
}

/** Each fact of a row under the path of its name, prices of tokens for a million of them. */
function flat(value: unknown, path = ""): Map<string, string> {
  if (Array.isArray(value) && value.every(isTier)) {
    const tiers = value.map((tier) => [`above ${digits(tier.above_input_tokens)}`, tier.prices] as const);
    return flat(Object.fromEntries(tiers), path);
  }
  if (!isRow(value)) return new Map([[path.replace(PER_1K, ""), valueText(path, value)]]);
  const facts = Object.entries(value).flatMap(([key, inner]) =>
    UNCOMPARED.has(key) && path === "" ? [] : [...flat(inner, key === "prices" ? path : join(path, key))],
  );
  return new Map(facts);
}

/** Where and when a row was read makes it no other row. */
const UNCOMPARED = new Set(["source", "effective_from"]);
const PER_1K = "_per_1k_tokens";

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

function valueText(path: string, value: unknown): string {
  if (path.endsWith(PER_1K)) return `$${shift(JSON.stringify(value), 3)}`;
  if (path.startsWith("usd_per_")) return `$${digits(value)}`;
  return JSON.stringify(Array.isArray(value) ? [...value].sort() : value);
}

function isTier(value: unknown): value is { above_input_tokens: unknown; prices: Row } {
  return isRow(value) && "above_input_tokens" in value;
}

/** Numbers are objects here too, since they keep their digits. */
function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isNumber(value);
}

function isNumber(value: object): boolean {
  return (JSON as unknown as { isRawJSON(value: object): boolean }).isRawJSON(value);
}
