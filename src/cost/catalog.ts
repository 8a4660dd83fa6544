/**
 * The price catalog: what a token of each model costs, by exact name or alias, as an immutable value. It
 * guesses nothing: a model that it does not list has no price, and that is not a price of 0.
 */
import type { ModelPrices } from "../../gen/ts/llmgateway/config/v1/prices_pb.ts";
import type { Capabilities } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { type PicoUsd, picoPerUnit } from "../core/money.ts";
import type { Violation } from "../core/strict-json.ts";
import { CatalogError, type ModelFile, readCatalogFile } from "./catalog-file.ts";
import type { Rates, Report } from "./rates.ts";
import { ratesWithin, type Tariff, type Tariffs, type Tier, tariffsIn, tariffsOf } from "./tariff.ts";

export interface Catalog {
  /** Name of this state of the prices; every receipt bears it. */
  readonly version: string;
  /** `YYYY-MM-DD` */
  readonly lastUpdated: string;
  /**
   * By the model's name or an alias, to the letter. Undefined when the price is not known.
   *
   * @param region the provider's, where its prices differ; empty for none
   * @param atMs when the attempt began, in milliseconds since 1970; without it, the newest prices of all
   */
  find(provider: string, model: string, region?: string, atMs?: number): ModelPrice | undefined;
  /** Every model once, in the order of the file, with its newest prices. */
  models(): readonly ModelPrice[];
  /** The providers that know the model by this name or alias, in the order of the file. */
  providersOf(model: string): readonly string[];
}

/** The rates and tiers of the standard service tier stand at the top. */
export interface ModelPrice extends Rates {
  readonly provider: string;
  /** The model's own name, also when an alias led here. */
  readonly model: string;
  /** What long inputs cost instead, shortest first. */
  readonly tiers: readonly Tier[];
  readonly standard: Tariff;
  /** By the name in the provider's replies; the standard one is under its names too, the empty one included. */
  readonly serviceTiers: ReadonlyMap<string, Tariff>;
  /** The standard prices, marked as assumed, for a service tier that the catalog does not have. */
  readonly unlisted: Tariff;
  /** What each request costs beside its tokens. */
  readonly picoPerRequest: PicoUsd;
  /** What each image that is read costs beside the tokens. */
  readonly picoPerImage: PicoUsd;
  /** In milliseconds since 1970; minus infinity when it always was. */
  readonly effectiveFromMs: number;
  readonly contextWindowTokens?: number;
  readonly maxOutputTokens?: number;
  readonly capabilities?: Capabilities;
  /** As written, for people to read. */
  readonly rates: ModelPrices;
}

/**
 * What the tokens of a call cost: all of them more, where its input is long.
 *
 * @param serviceTier as the provider names it in its reply; empty for the standard one
 */
export function ratesAt(model: ModelPrice, inputTokens: number, serviceTier = ""): Rates {
  return ratesWithin(model.serviceTiers.get(serviceTier) ?? model.unlisted, inputTokens);
}

/**
 * @param json the text of the file
 * @param name what errors call the file
 * @throws CatalogError
 */
export function loadCatalog(json: string, name: string): Catalog {
  const { version, lastUpdated, providers } = readCatalogFile(json, name);
  const violations: Violation[] = [];
  const byProvider = new Map<string, ReadonlyMap<string, History>>();
  const models: ModelPrice[] = [];
  for (const [provider, written] of providers) {
    const histories = written.map((model) => historyOf(provider, model, violations));
    byProvider.set(provider, named(histories, violations));
    for (const { latest } of histories) models.push(latest);
  }
  if (violations.length > 0) throw new CatalogError(name, violations);
  return catalogOf(version, lastUpdated, byProvider, models);
}

/** The prices of one model over time, the newest first. */
interface History {
  readonly latest: ModelPrice;
  readonly rows: readonly Dated[];
  /** Of all rows, each with where it stands in the file. */
  readonly aliases: readonly (readonly [path: string, alias: string])[];
}

interface Dated {
  readonly fromMs: number;
  readonly price: ModelPrice;
  readonly regions: ReadonlyMap<string, ModelPrice>;
}

function catalogOf(
  version: string,
  lastUpdated: string,
  byProvider: ReadonlyMap<string, ReadonlyMap<string, History>>,
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
    find: (provider, model, region = "", atMs = Number.POSITIVE_INFINITY) => {
      const rows = byProvider.get(provider)?.get(model)?.rows;
      const row = rows?.[0] && rows[0].fromMs <= atMs ? rows[0] : rows?.find(({ fromMs }) => fromMs <= atMs);
      return row?.regions.get(region) ?? row?.price;
    },
    models: () => models,
    providersOf: (model) => providers.get(model) ?? none,
  });
}

function historyOf(provider: string, { model, rows, paths }: ModelFile, violations: Violation[]): History {
  let before = Number.NEGATIVE_INFINITY;
  const dated = rows.map((prices, index): Dated => {
    const path = paths[index] ?? "";
    const report: Report = (field, description) =>
      violations.push({ field: `${path}.${field}`, description });
    const fromMs = startOf(prices, report);
    if (index > 0 && !(fromMs > before))
      report(
        "effective_from",
        prices.effectiveFrom
          ? "must be later than the one before"
          : "is missing; only the first may be without it",
      );
    before = fromMs;
    const price = (tariffs: Tariffs) => priceOf(provider, model, prices, fromMs, tariffs, report);
    const tariffs = tariffsOf(prices, report);
    const regions = Object.keys(prices.regions).map(
      (region) => [region, price(tariffsIn(region, tariffs.standard, prices, report))] as const,
    );
    return { fromMs, price: price(tariffs), regions: new Map(regions) };
  });
  const aliases = rows.flatMap((prices, index) =>
    prices.aliases.map((alias, at) => [`${paths[index]}.aliases[${at}]`, alias] as const),
  );
  const [latest, ...earlier] = dated.reverse() as [Dated, ...Dated[]];
  return { latest: latest.price, rows: [latest, ...earlier], aliases };
}

function startOf({ effectiveFrom }: ModelPrices, report: Report): number {
  if (effectiveFrom === "") return Number.NEGATIVE_INFINITY;
  const fromMs = Date.parse(effectiveFrom);
  const day = effectiveFrom.slice(0, 10);
  const isDay = Number.isFinite(fromMs) && new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);
  if (!isDay) report("effective_from", "is no day of the calendar");
  return fromMs;
}

function priceOf(
  provider: string,
  model: string,
  rates: ModelPrices,
  effectiveFromMs: number,
  { standard, byServiceTier, unlisted }: Tariffs,
  report: Report,
): ModelPrice {
  const { contextWindowTokens, maxOutputTokens, capabilities } = rates;
  const exact = (field: string, usd = 0): PicoUsd => {
    try {
      return picoPerUnit(usd);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      report(field, error.message);
      return picoPerUnit(0);
    }
  };
  const priced: ModelPrice = {
    provider,
    model,
    ...standard.rates,
    tiers: standard.tiers,
    standard,
    serviceTiers: byServiceTier,
    unlisted,
    picoPerRequest: exact("usd_per_request", rates.usdPerRequest),
    picoPerImage: exact("usd_per_image", rates.usdPerImage),
    effectiveFromMs,
    ...(contextWindowTokens !== undefined && { contextWindowTokens }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(capabilities !== undefined && { capabilities: Object.freeze(capabilities) }),
    rates,
  };
  Object.freeze(rates.aliases);
  Object.freeze(rates);
  return Object.freeze(priced);
}

/** By name and alias; aliases after all names are known, so that one can never hide a model. */
function named(histories: readonly History[], violations: Violation[]): ReadonlyMap<string, History> {
  const byName = new Map(histories.map((history) => [history.latest.model, history]));
  for (const history of histories) {
    for (const [field, alias] of history.aliases) {
      const holder = byName.get(alias);
      if (alias === "") violations.push({ field, description: "is empty" });
      else if (holder === undefined) byName.set(alias, history);
      // Each row of a history may repeat the names that the model has.
      else if (holder !== history)
        violations.push({
          field,
          description: `already names "${holder.latest.model}"; give each name to one model`,
        });
    }
  }
  return byName;
}
