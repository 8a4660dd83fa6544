/**
 * The price catalog: what a token of each model costs, by exact name or alias, as an immutable value. It
 * guesses nothing: a model that it does not list has no price, and that is not a price of 0.
 */
import { createValidator } from "@bufbuild/protovalidate";
import { LineCounter, parseDocument } from "yaml";
import {
  type ModelPrices,
  type PriceCatalog,
  PriceCatalogSchema,
} from "../../gen/ts/llmgateway/config/v1/prices_pb.ts";
import { type PicoUsd, picoPerToken } from "../core/money.ts";
import { keyPath, readStrict, type Violation } from "../core/strict-json.ts";

export interface Catalog {
  /** Name of this state of the prices; every receipt bears it. */
  readonly version: string;
  /** `YYYY-MM-DD` */
  readonly lastUpdated: string;
  /** By the model's name or an alias, to the letter. Undefined when the price is not known. */
  find(provider: string, model: string): ModelPrice | undefined;
  /** Every model once, in the order of the file. */
  models(): readonly ModelPrice[];
  /** The providers that know the model by this name or alias, in the order of the file. */
  providersOf(model: string): readonly string[];
}

export interface ModelPrice {
  readonly provider: string;
  /** The model's own name, also when an alias led here. */
  readonly model: string;
  readonly inputPicoPerToken: PicoUsd;
  readonly outputPicoPerToken: PicoUsd;
  /** As for fresh input when the catalog says nothing else; so is the next. */
  readonly cachedInputPicoPerToken: PicoUsd;
  readonly cacheWritePicoPerToken: PicoUsd;
  readonly contextWindowTokens?: number;
  readonly maxOutputTokens?: number;
  /** As written, for people to read. */
  readonly rates: ModelPrices;
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

/**
 * @param json the text of the file
 * @param name what errors call the file
 * @throws CatalogError
 */
export function loadCatalog(json: string, name: string): Catalog {
  const file = parse(json, name);
  const catalog = read(file, name);
  const violations: Violation[] = [];
  const byProvider = new Map<string, Map<string, ModelPrice>>();
  const models: ModelPrice[] = [];
  for (const [provider, prices] of Object.entries(catalog.providers)) {
    const byName = new Map<string, ModelPrice>();
    byProvider.set(provider, byName);
    for (const [model, rates] of Object.entries(prices.models)) {
      const path = keyPath(keyPath("providers", provider), model);
      const priced = price(provider, model, rates, path, violations);
      if (priced === undefined) continue;
      byName.set(model, priced);
      models.push(priced);
    }
    addAliases(provider, byName, violations);
  }
  if (violations.length > 0) throw new CatalogError(name, violations);
  return catalogOf(catalog, byProvider, models);
}

function catalogOf(
  { version, lastUpdated }: PriceCatalog,
  byProvider: ReadonlyMap<string, ReadonlyMap<string, ModelPrice>>,
  models: readonly ModelPrice[],
): Catalog {
  const providers = new Map<string, string[]>();
  for (const [provider, byName] of byProvider) {
    for (const model of byName.keys()) providers.set(model, [...(providers.get(model) ?? []), provider]);
  }
  for (const list of providers.values()) Object.freeze(list);
  const none: readonly string[] = Object.freeze([]);
  Object.freeze(models);
  return Object.freeze<Catalog>({
    version,
    lastUpdated,
    find: (provider, model) => byProvider.get(provider)?.get(model),
    models: () => models,
    providersOf: (model) => providers.get(model) ?? none,
  });
}

function price(
  provider: string,
  model: string,
  rates: ModelPrices,
  path: string,
  violations: Violation[],
): ModelPrice | undefined {
  const before = violations.length;
  const exact = (field: string, usdPer1k: number): PicoUsd => {
    try {
      return picoPerToken(usdPer1k);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      violations.push({ field: `${path}.${field}`, description: error.message });
      return picoPerToken(0);
    }
  };
  const input = exact("input_per_1k_tokens", rates.inputPer1kTokens);
  const output = exact("output_per_1k_tokens", rates.outputPer1kTokens);
  const { cachedInputPer1kTokens: cached, cacheWritePer1kTokens: written } = rates;
  const priced: ModelPrice = {
    provider,
    model,
    inputPicoPerToken: input,
    outputPicoPerToken: output,
    cachedInputPicoPerToken: cached === undefined ? input : exact("cached_input_per_1k_tokens", cached),
    cacheWritePicoPerToken: written === undefined ? input : exact("cache_write_per_1k_tokens", written),
    ...(rates.contextWindowTokens !== undefined && { contextWindowTokens: rates.contextWindowTokens }),
    ...(rates.maxOutputTokens !== undefined && { maxOutputTokens: rates.maxOutputTokens }),
    rates,
  };
  Object.freeze(rates.aliases);
  Object.freeze(rates);
  return violations.length === before ? Object.freeze(priced) : undefined;
}

/** After all names are known, so that an alias can never hide a model. */
function addAliases(provider: string, byName: Map<string, ModelPrice>, violations: Violation[]): void {
  for (const priced of [...byName.values()]) {
    for (const [index, alias] of priced.rates.aliases.entries()) {
      const holder = byName.get(alias);
      if (holder === undefined && alias !== "") {
        byName.set(alias, priced);
        continue;
      }
      const path = keyPath(keyPath("providers", provider), priced.model);
      const description = holder
        ? `already names "${holder.model}"; give each name to one model`
        : "is empty";
      violations.push({ field: `${path}.aliases[${index}]`, description });
    }
  }
}

/** Keeps the rules that it has compiled. */
const validator = createValidator();

/** The file as a message: valid by its rules, and with both prices really written for every model. */
function read(file: unknown, name: string): PriceCatalog {
  const result = readStrict(PriceCatalogSchema, reshape(file));
  if ("violations" in result) throw new CatalogError(name, result.violations.map(inFile));
  const { message } = result;
  const verdict = validator.validate(PriceCatalogSchema, message);
  if (verdict.kind === "error") throw verdict.error;
  const violations = (verdict.violations ?? []).map((violation) =>
    inFile({
      field: violation.field.reduce((path, step) => {
        return keyPath(path, step.kind === "map_sub" ? String(step.key) : "name" in step ? step.name : "");
      }, ""),
      description: violation.message,
    }),
  );
  violations.push(...missingPrices(file));
  if (violations.length > 0) throw new CatalogError(name, violations);
  return message;
}

/** A price that is left out reads as 0, which would give the model away: so the file itself is asked. */
function missingPrices(file: unknown): Violation[] {
  const { providers } = file as {
    providers?: Record<string, Record<string, Record<string, unknown>> | null>;
  };
  return Object.entries(providers ?? {}).flatMap(([provider, models]) =>
    Object.entries(models ?? {}).flatMap(([model, rates]) =>
      (["input", "output"] as const)
        .filter((side) => (rates[`${side}_per_1k_tokens`] ?? rates[`${side}Per1kTokens`] ?? null) === null)
        .map((side) => ({
          field: `${keyPath(keyPath("providers", provider), model)}.${side}_per_1k_tokens`,
          description:
            "is missing; write 0 only where the tokens are free, and leave out a model whose price is not known",
        })),
    ),
  );
}

/** In the file the models stand directly below the provider's name; in the message one level deeper. */
function reshape(file: unknown): unknown {
  if (!isObject(file) || !isObject(file.providers)) return file;
  const providers = Object.entries(file.providers).map(([name, models]) => [name, { models: models ?? {} }]);
  return { ...file, providers: Object.fromEntries(providers) };
}

function inFile({ field, description }: Violation): Violation {
  return {
    field: field.replace(/^(providers(?:\.[^.[]+|\["(?:[^"\\]|\\.)*"\]))\.models/, "$1"),
    description,
  };
}

/** JSON, and no name twice in an object: the platform's parser would take the last one in silence. */
function parse(json: string, name: string): unknown {
  let file: unknown;
  try {
    file = JSON.parse(json);
  } catch (error) {
    throw new CatalogError(name, [{ field: "", description: `is not JSON: ${(error as Error).message}` }]);
  }
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
