/**
 * The price catalog: what a token of each model costs, by exact name or alias, as an immutable value. It
 * guesses nothing: a model that it does not list has no price, and that is not a price of 0.
 */
import type { ModelPrices, PriceCatalog, TokenPrices } from "../../gen/ts/llmgateway/config/v1/prices_pb.ts";
import type { Capabilities } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { keyPath, type Violation } from "../core/strict-json.ts";
import { CatalogError, readCatalogFile } from "./catalog-file.ts";
import { type Rates, ratesOf } from "./rates.ts";

export interface Catalog {
  /** Name of this state of the prices; every receipt bears it. */
  readonly version: string;
  /** `YYYY-MM-DD` */
  readonly lastUpdated: string;
  /**
   * By the model's name or an alias, to the letter. Undefined when the price is not known.
   *
   * @param region the provider's, where its prices differ; empty for none
   */
  find(provider: string, model: string, region?: string): ModelPrice | undefined;
  /** Every model once, in the order of the file. */
  models(): readonly ModelPrice[];
  /** The providers that know the model by this name or alias, in the order of the file. */
  providersOf(model: string): readonly string[];
}

export interface ModelPrice extends Rates {
  readonly provider: string;
  /** The model's own name, also when an alias led here. */
  readonly model: string;
  /** What long inputs cost instead, shortest first. */
  readonly tiers: readonly Tier[];
  readonly contextWindowTokens?: number;
  readonly maxOutputTokens?: number;
  readonly capabilities?: Capabilities;
  /** As written, for people to read. */
  readonly rates: ModelPrices;
}

export interface Tier {
  readonly aboveInputTokens: number;
  readonly rates: Rates;
}

/** What the tokens of a call cost: all of them more, where its input is long. */
export function ratesAt(model: ModelPrice, inputTokens: number): Rates {
  return model.tiers.findLast((tier) => inputTokens > tier.aboveInputTokens)?.rates ?? model;
}

/**
 * @param json the text of the file
 * @param name what errors call the file
 * @throws CatalogError
 */
export function loadCatalog(json: string, name: string): Catalog {
  const catalog = readCatalogFile(json, name);
  const violations: Violation[] = [];
  const byProvider = new Map<string, Map<string, ModelPrice>>();
  const regional = new Map<ModelPrice, ReadonlyMap<string, ModelPrice>>();
  const models: ModelPrice[] = [];
  for (const [provider, prices] of Object.entries(catalog.providers)) {
    const byName = new Map<string, ModelPrice>();
    byProvider.set(provider, byName);
    for (const [model, rates] of Object.entries(prices.models)) {
      const path = keyPath(keyPath("providers", provider), model);
      const priced = price(provider, model, rates, path, violations);
      const regions = Object.entries(rates.regions).map(
        ([region, prices]) =>
          [region, inRegion(priced, prices, keyPath(`${path}.regions`, region), violations)] as const,
      );
      if (regions.length > 0) regional.set(priced, new Map(regions));
      byName.set(model, priced);
      models.push(priced);
    }
    addAliases(provider, byName, violations);
  }
  if (violations.length > 0) throw new CatalogError(name, violations);
  return catalogOf(catalog, byProvider, models, regional);
}

function catalogOf(
  { version, lastUpdated }: PriceCatalog,
  byProvider: ReadonlyMap<string, ReadonlyMap<string, ModelPrice>>,
  models: readonly ModelPrice[],
  regional: ReadonlyMap<ModelPrice, ReadonlyMap<string, ModelPrice>>,
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
    find: (provider, model, region = "") => {
      const priced = byProvider.get(provider)?.get(model);
      return (priced && regional.get(priced)?.get(region)) ?? priced;
    },
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
): ModelPrice {
  const { contextWindowTokens, maxOutputTokens, capabilities } = rates;
  const priced: ModelPrice = {
    provider,
    model,
    ...ratesOf(rates, (field, description) => violations.push({ field: `${path}.${field}`, description })),
    tiers: Object.freeze(tiersOf(rates, path, violations)),
    ...(contextWindowTokens !== undefined && { contextWindowTokens }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(capabilities !== undefined && { capabilities: Object.freeze(capabilities) }),
    rates,
  };
  Object.freeze(rates.aliases);
  Object.freeze(rates);
  return Object.freeze(priced);
}

function tiersOf({ contextTiers }: ModelPrices, path: string, violations: Violation[]): Tier[] {
  let above = 0;
  return contextTiers.flatMap(({ aboveInputTokens, prices }, index) => {
    const place = `${path}.context_tiers[${index}]`;
    if (aboveInputTokens <= above) {
      violations.push({
        field: `${place}.above_input_tokens`,
        description: "must be more than the one before",
      });
    }
    above = aboveInputTokens;
    if (!prices) return [];
    const rates = ratesOf(prices, (field, description) =>
      violations.push({ field: `${place}.prices.${field}`, description }),
    );
    return [Object.freeze<Tier>({ aboveInputTokens, rates: Object.freeze(rates) })];
  });
}

/** The same model at a region's prices, which know no tiers. */
function inRegion(
  priced: ModelPrice,
  prices: TokenPrices,
  path: string,
  violations: Violation[],
): ModelPrice {
  const rates = ratesOf(prices, (field, description) =>
    violations.push({ field: `${path}.${field}`, description }),
  );
  return Object.freeze({ ...priced, ...rates, tiers: [] });
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
