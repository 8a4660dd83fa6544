/** Which models there are, and what is known of them, as the configuration and the catalog have it together. */
import type { Model } from "../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import { BATCH_TIER, type Target } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import { nameOf, splitName } from "./core/target.ts";
import type { Catalog, ModelPrice } from "./cost/catalog.ts";
import { familyOf } from "./cost/family.ts";
import type { Pricing } from "./cost/means.ts";
import type { TipMeans } from "./cost/tips/tips.ts";
import type { BatchRules } from "./layers/batch.ts";
import type { Provider } from "./providers/provider.ts";
import type { Models } from "./routing/eligible.ts";
import type { Directory } from "./routing/named.ts";

export function directoryOf(
  config: CompleteConfig,
  catalog: Catalog,
  providers: ReadonlyMap<string, Provider>,
): Directory {
  const names = [...providers.keys()];
  const named = new Map(
    Object.entries(config.providers).map(([name, { defaultModel, defaultEmbeddingModel, models }]) => [
      name,
      { name, defaultModels: { chat: defaultModel, embeddings: defaultEmbeddingModel }, models },
    ]),
  );
  return {
    provider: (name) => named.get(name),
    providers: names,
    providersOf(model) {
      const having = names.filter((name) => {
        const { models = [], prices = name } = config.providers[name] ?? {};
        return models.length > 0 ? models.includes(model) : catalog.find(prices, model) !== undefined;
      });
      const ready = having.filter((name) => !providers.get(name)?.off);
      // Where all of them are off, why that is helps more than that nobody has it.
      return ready.length > 0 ? ready : having;
    },
    defaultModels: { chat: config.defaultModel, embeddings: config.defaultEmbeddingModel },
  };
}

export function priceOf(
  config: CompleteConfig,
  catalog: Catalog,
  target: Target,
  atMs?: number,
): ModelPrice | undefined {
  if (!config.prices.trackingEnabled) return undefined;
  const { prices = target.provider, region = "" } = config.providers[target.provider] ?? {};
  return catalog.find(prices, target.model, region, atMs);
}

export function pricingOf(config: CompleteConfig, catalog: Catalog): Pricing {
  // Where nothing is priced, no model is known by its price.
  const unknownModels = config.prices.trackingEnabled ? config.prices.unknownModels : "allow";
  return {
    version: catalog.version,
    find: (target, atMs) => priceOf(config, catalog, target, atMs),
    kindOf: (provider) => config.providers[provider]?.kind ?? "",
    unknownModels: unknownModels as Pricing["unknownModels"],
  };
}

/** @param name as `provider/model` */
export function isPriced(name: string, config: CompleteConfig, catalog: Catalog, atMs: number): boolean {
  return priceOf(config, catalog, splitName(name), atMs) !== undefined;
}

export function dropsOf(config: CompleteConfig): (provider: string) => boolean {
  return (provider) => config.providers[provider]?.unsupported === "drop";
}

/** What models can do holds whether calls are priced or not. */
export function knownModels(config: CompleteConfig, catalog: Catalog): Models {
  const pricesOf = (provider: string) => config.providers[provider]?.prices ?? provider;
  return {
    find: ({ provider, model }) => catalog.find(pricesOf(provider), model),
    drops: dropsOf(config),
    offered: (provider) => {
      const {
        models: allowed = [],
        defaultModel = "",
        defaultEmbeddingModel = "",
      } = config.providers[provider] ?? {};
      const prices = pricesOf(provider);
      const priced = catalog.models().filter((model) => model.provider === prices);
      const names =
        allowed.length > 0
          ? allowed
          : [defaultModel, defaultEmbeddingModel, ...priced.map(({ model }) => model)];
      return names.flatMap((name) => {
        const known = catalog.find(prices, name);
        return known ? [[name, known] as const] : [];
      });
    },
  };
}

/** Dated and regional names of one model are one family: that of the name that the catalog has its price under. */
export function familiesOf(config: CompleteConfig, catalog: Catalog): (target: Target) => string {
  return ({ provider, model }) => {
    const known = catalog.find(config.providers[provider]?.prices ?? provider, model);
    return nameOf({ provider, model: known?.model ?? model });
  };
}

/** Instead of a model, its provider's others that read tokens as it does, and can do all that it can. */
export function tipMeansOf(config: CompleteConfig, catalog: Catalog, clock: Pick<Clock, "now">): TipMeans {
  const { offered } = knownModels(config, catalog);
  const find = (target: Target) => priceOf(config, catalog, target, clock.now());
  return {
    priceOf: find,
    alternatives: (target) => {
      const known = find(target);
      const kind = config.providers[target.provider]?.kind ?? "";
      const family = familyOf({ kind, model: target.model }).name;
      if (!known) return [];
      return offered(target.provider).flatMap(([model]) => {
        const other = { provider: target.provider, model };
        const price = find(other);
        if (!price || price.model === known.model || !isAsAble(price, known)) return [];
        return familyOf({ kind, model }).name === family ? [{ target: other, price }] : [];
      });
    },
    cacheEnabled: config.cache.enabled,
  };
}

/** What is not known of a model it cannot be relied on for. */
function isAsAble(one: ModelPrice, other: ModelPrice): boolean {
  const { capabilities: can } = one;
  const needs = Object.entries(other.capabilities ?? {}).filter(([, able]) => able === true);
  const as = (name: string) => can?.[name as keyof typeof can] === true;
  return (
    needs.every(([name]) => as(name)) &&
    (one.contextWindowTokens ?? 0) >= (other.contextWindowTokens ?? 0) &&
    (one.maxOutputTokens ?? 0) >= (other.maxOutputTokens ?? 0)
  );
}

/** What is asked of a batch, whether calls are priced or not: without a price, none is half of it. */
export function batchRules(
  config: CompleteConfig,
  catalog: Catalog,
  providers: ReadonlyMap<string, Provider>,
): BatchRules {
  const { offered } = knownModels(config, catalog);
  return {
    providers: [...providers.values()].filter(({ batches }) => batches).map(({ name }) => name),
    isPriced: (target, atMs) =>
      !config.prices.trackingEnabled || hasBatchPrice(priceOf(config, catalog, target, atMs)),
    pricedModels: (provider) =>
      offered(provider).flatMap(([name, model]) => (hasBatchPrice(model) ? [name] : [])),
  };
}

function hasBatchPrice(model: ModelPrice | undefined): boolean {
  return model?.serviceTiers.has(BATCH_TIER) === true;
}

/** With the prices of this time. */
export function modelsOf(
  config: CompleteConfig,
  catalog: Catalog,
  providers: ReadonlyMap<string, Provider>,
  atMs: number,
): readonly Model[] {
  const models: Model[] = [];
  for (const name of [...providers.keys()].sort()) {
    if (providers.get(name)?.off) continue;
    const { models: allowed = [], prices = name, region = "" } = config.providers[name] ?? {};
    const priced = catalog.models().filter((price) => price.provider === prices);
    const known = allowed.length > 0 ? allowed : priced.map((price) => price.model);
    for (const model of [...known].sort())
      models.push(
        modelOf(name, model, catalog.find(prices, model), catalog.find(prices, model, "", atMs), region),
      );
  }
  return models;
}

/** @param price undefined where the model has none at the time */
function modelOf(
  provider: string,
  model: string,
  known: ModelPrice | undefined,
  price: ModelPrice | undefined,
  region: string,
): Model {
  const { capabilities, contextWindowTokens, maxOutputTokens } = known ?? {};
  const prices = price?.rates.regions[region] ?? price?.rates;
  return {
    $typeName: "llmgateway.v1.Model",
    id: `${provider}/${model}`,
    provider,
    model,
    inputPer1kTokens: prices?.inputPer1kTokens,
    // A model that makes embeddings writes nothing.
    outputPer1kTokens: capabilities?.chat === false ? undefined : prices?.outputPer1kTokens,
    cachedInputPer1kTokens: prices?.cachedInputPer1kTokens,
    contextWindowTokens,
    maxOutputTokens,
    capabilities,
  };
}
