/**
 * The price catalog as a file: strict JSON that becomes a message, or a list of every place that is wrong.
 * Knows the form, and not what the prices mean.
 */
import { LineCounter, parseDocument } from "yaml";
import {
  type ModelPrices,
  type PriceCatalog,
  PriceCatalogSchema,
  type ProviderPrices,
} from "../../gen/ts/llmgateway/config/v1/prices_pb.ts";
import { brokenRules } from "../core/rules.ts";
import { keyPath, readStrict, type Violation } from "../core/strict-json.ts";

/** What the file says, in its order. */
export interface CatalogFile {
  readonly version: string;
  readonly lastUpdated: string;
  readonly providers: readonly (readonly [name: string, models: readonly ModelFile[]])[];
}

export interface ModelFile {
  readonly model: string;
  /** At least one, the earliest first. */
  readonly rows: readonly [ModelPrices, ...ModelPrices[]];
  /** Where they stand in the file. */
  readonly paths: readonly string[];
}

/** @throws CatalogError */
export function readCatalogFile(json: string, name: string): CatalogFile {
  const file = parse(json, name);
  const { version, lastUpdated, providers } = read(file, name);
  const written = (file as { providers?: Readonly<Record<string, JsonObject | null>> }).providers ?? {};
  return {
    version,
    lastUpdated,
    providers: Object.entries(written).map(([provider, models]) => [
      provider,
      Object.entries(models ?? {}).flatMap(([model, value]) => {
        const [first, ...others] = rowsOf(providers[provider], model);
        if (!first) return [];
        const path = keyPath(keyPath("providers", provider), model);
        const paths = Array.isArray(value) ? value.map((_, index) => `${path}[${index}]`) : [path];
        return [{ model, rows: [first, ...others] as const, paths }];
      }),
    ]),
  };
}

/** The catalog cannot be used; the message lists every place that is wrong, by its path in the file. */
export class CatalogError extends Error {
  override readonly name = "CatalogError";
  readonly violations: readonly Violation[];

  constructor(source: string, violations: readonly Violation[]) {
    const lines = violations.map(
      ({ field, description }) => `  ${source}: ${[field, description].filter(Boolean).join(": ")}`,
    );
    super(["the price catalog cannot be used:", ...lines].join("\n"));
    this.violations = violations;
  }
}

/** The file as a message: valid by its rules, and with both prices really written for every model. */
function read(file: unknown, name: string): PriceCatalog {
  const result = readStrict(PriceCatalogSchema, reshape(file));
  if ("violations" in result) throw new CatalogError(name, result.violations.map(inFile));
  const { message } = result;
  const violations = [...ruleViolations(message), ...missingPrices(file)];
  if (violations.length > 0) throw new CatalogError(name, violations);
  return message;
}

function ruleViolations(catalog: PriceCatalog): Violation[] {
  return brokenRules(PriceCatalogSchema, catalog).map((violation) =>
    inFile({
      field: violation.field.reduce((path, step) => {
        if (step.kind === "list_sub") return `${path}[${step.index}]`;
        return keyPath(path, step.kind === "map_sub" ? String(step.key) : "name" in step ? step.name : "");
      }, ""),
      description: violation.message,
    }),
  );
}

/** A price that is left out reads as 0, which would give the model away: so the file itself is asked. */
function missingPrices(file: unknown): Violation[] {
  const { providers } = file as {
    providers?: Record<string, Record<string, JsonObject | JsonObject[]> | null>;
  };
  return Object.entries(providers ?? {}).flatMap(([provider, models]) =>
    Object.entries(models ?? {}).flatMap(([model, written]) => {
      const path = keyPath(keyPath("providers", provider), model);
      if (!Array.isArray(written)) return missingOf(written, path);
      return written.flatMap((row, index) => missingOf(row, `${path}[${index}]`));
    }),
  );
}

function missingOf(row: JsonObject, path: string): Violation[] {
  const { chat } = (row.capabilities ?? {}) as JsonObject;
  const sides = chat === false ? (["input"] as const) : (["input", "output"] as const);
  return [...pricesIn(row, path)].flatMap(([place, prices]) =>
    sides
      .filter((side) => given(prices, `${side}_per_1k_tokens`, `${side}Per1kTokens`) === null)
      .map((side) => ({ field: `${place}.${side}_per_1k_tokens`, description: MISSING })),
  );
}

/** Each place of a row that has prices; where they are missing as a whole, that has been found by now. */
function* pricesIn(row: JsonObject, path: string): Generator<[path: string, prices: JsonObject]> {
  yield [path, row];
  yield* tierPrices(row, path);
  for (const [name, prices] of Object.entries(row.regions ?? {}))
    yield [keyPath(`${path}.regions`, name), prices];
  const serviceTiers = (given(row, "service_tiers", "serviceTiers") ?? {}) as Record<string, JsonObject>;
  for (const [name, tier] of Object.entries(serviceTiers)) {
    const place = keyPath(`${path}.service_tiers`, name);
    if (tier.prices) yield [`${place}.prices`, tier.prices as JsonObject];
    yield* tierPrices(tier, place);
  }
}

function* tierPrices(object: JsonObject, path: string): Generator<[path: string, prices: JsonObject]> {
  const tiers = (given(object, "context_tiers", "contextTiers") ?? []) as JsonObject[];
  for (const [index, { prices }] of tiers.entries())
    if (prices) yield [`${path}.context_tiers[${index}].prices`, prices as JsonObject];
}

type JsonObject = Readonly<Record<string, unknown>>;

const MISSING =
  "is missing; write 0 only where the tokens are free, and leave out a model whose price is not known";

function given(object: JsonObject, snake: string, camel: string): unknown {
  return object[snake] ?? object[camel] ?? null;
}

/**
 * In the file the models stand directly below the provider's name, and those whose prices changed are lists; in the
 * message both are one level deeper.
 */
function reshape(file: unknown): unknown {
  if (!isObject(file) || !isObject(file.providers)) return file;
  const providers = Object.entries(file.providers).map(([name, written]) => {
    if (!isObject(written)) return [name, { models: written ?? {} }];
    const all = Object.entries(written);
    const histories = all.flatMap(([model, rows]) => (Array.isArray(rows) ? [[model, { rows }]] : []));
    const models = all.filter(([, row]) => !Array.isArray(row));
    return [name, { models: Object.fromEntries(models), histories: Object.fromEntries(histories) }];
  });
  return { ...file, providers: Object.fromEntries(providers) };
}

function inFile({ field, description }: Violation): Violation {
  const place = HISTORY.test(field) ? field.replace(HISTORY, "$1$2") : field.replace(MODELS, "$1");
  return { field: place, description };
}

const STEP = String.raw`(?:\.[^.[]+|\["(?:[^"\\]|\\.)*"\])`;
const MODELS = new RegExp(`^(providers${STEP})\\.models`);
const HISTORY = new RegExp(`^(providers${STEP})\\.histories(${STEP})\\.rows`);

function rowsOf(prices: ProviderPrices | undefined, model: string): readonly ModelPrices[] {
  const row = own(prices?.models, model);
  return row ? [row] : (own(prices?.histories, model)?.rows ?? []);
}

/** A model may have the name of what every object has. */
function own<T>(map: Readonly<Record<string, T>> = {}, key: string): T | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/** JSON, and no name twice in an object: the platform's parser would take the last one in silence. */
function parse(json: string, name: string): unknown {
  let file: unknown;
  try {
    file = JSON.parse(json);
  } catch (error) {
    throw new CatalogError(name, [{ field: "", description: `is not JSON: ${(error as Error).message}` }]);
  }
  if (keysWritten(json) === keysKept(file)) return file;
  const lines = new LineCounter();
  const { errors } = parseDocument(json, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const duplicates = errors.filter((error) => error.code === "DUPLICATE_KEY");
  if (duplicates.length === 0) return file;
  throw new CatalogError(
    name,
    duplicates.map(({ pos: [start] }) => ({
      field: "",
      description: `line ${lines.linePos(start).line}: ${QUOTED.exec(json.slice(start))?.[0]} is given twice in one object`,
    })),
  );
}

const QUOTED = /^"(?:[^"\\]|\\.)*"/;
const STRING = /"(?:[^"\\]|\\.)*"(\s*:)?/g;

/** Fewer keys than were written mean that one was lost. Counted, since to parse all of it as YAML takes far longer. */
function keysWritten(json: string): number {
  let keys = 0;
  for (const [, colon] of json.matchAll(STRING)) if (colon) keys++;
  return keys;
}

function keysKept(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const values = Object.values(value);
  return values.reduce<number>(
    (keys, inner) => keys + keysKept(inner),
    Array.isArray(value) ? 0 : values.length,
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
