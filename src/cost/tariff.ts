/**
 * A model's prices by service tier and by the length of the input, worked out when the catalog is loaded, so that a
 * call only looks them up. Knows no model by name and no usage.
 */
import type { ContextTier, ModelPrices } from "../../gen/ts/llmgateway/config/v1/prices_pb.ts";
import { keyPath } from "../core/strict-json.ts";
import { dearest, type Rates, type Report, type Row, ratesOf } from "./rates.ts";

/** What the tokens of one service tier cost. */
export interface Tariff {
  readonly rates: Rates;
  /** What long inputs cost instead, shortest first. */
  readonly tiers: readonly Tier[];
}

export interface Tier {
  readonly aboveInputTokens: number;
  readonly rates: Rates;
}

export interface Tariffs {
  readonly standard: Tariff;
  /** By the name of the service tier in the provider's replies, the standard one's names included. */
  readonly byServiceTier: ReadonlyMap<string, Tariff>;
  /** The standard prices, for a service tier that has none here. */
  readonly unlisted: Tariff;
}

/** All tokens of a call cost what its whole input reaches. */
export function ratesWithin({ rates, tiers }: Tariff, inputTokens: number): Rates {
  // Most models have no tier, and this runs for every event of a stream.
  if (tiers.length === 0) return rates;
  return tiers.findLast((tier) => inputTokens > tier.aboveInputTokens)?.rates ?? rates;
}

/** @param report told of whatever cannot stand, by its path within the row */
export function tariffsOf(prices: ModelPrices, report: Report): Tariffs {
  const row: Row = { written: prices, rates: ratesOf(prices, report) };
  const standard = Object.freeze({ rates: row.rates, tiers: tiersOf(prices.contextTiers, row, "", report) });
  const named = Object.entries(prices.serviceTiers).map(([name, { prices: written, contextTiers }]) => {
    const path = keyPath("service_tiers", name);
    const rates = written ? ratesOf(written, below(`${path}.prices`, report), row) : row.rates;
    const tiers = tiersOf(contextTiers, row, `${path}.`, report);
    return [
      name,
      Object.freeze({ rates, tiers: tiers.length > 0 ? tiers : covering(rates, standard) }),
    ] as const;
  });
  return tariffs(standard, named);
}

/** The same model at a region's prices, which know no tiers. */
export function tariffsIn(region: string, { rates }: Tariff, prices: ModelPrices, report: Report): Tariffs {
  const written = prices.regions[region];
  if (!written) return tariffs(Object.freeze({ rates, tiers: [] }), []);
  const regional = ratesOf(written, below(keyPath("regions", region), report), { written: prices, rates });
  return tariffs(Object.freeze({ rates: regional, tiers: [] }), []);
}

/** A reply that names no tier was served in the standard one. */
const STANDARD = ["", "default", "standard"];

function tariffs(standard: Tariff, named: readonly (readonly [string, Tariff])[]): Tariffs {
  const assumed = (rates: Rates): Rates => Object.freeze({ ...rates, isAssumed: true });
  return {
    standard,
    byServiceTier: new Map([...named, ...STANDARD.map((name) => [name, standard] as const)]),
    unlisted: Object.freeze({
      rates: assumed(standard.rates),
      tiers: standard.tiers.map((tier) => Object.freeze({ ...tier, rates: assumed(tier.rates) })),
    }),
  };
}

/** What a long input costs in a service tier that says nothing of it is not known; it is not below either of these. */
function covering(rates: Rates, standard: Tariff): readonly Tier[] {
  return standard.tiers.map((tier) => Object.freeze({ ...tier, rates: dearest(rates, tier.rates) }));
}

function tiersOf(tiers: readonly ContextTier[], row: Row, prefix: string, report: Report): readonly Tier[] {
  let above = 0;
  const found = tiers.flatMap(({ aboveInputTokens, prices }, index) => {
    const path = `${prefix}context_tiers[${index}]`;
    if (aboveInputTokens <= above) report(`${path}.above_input_tokens`, "must be more than the one before");
    above = aboveInputTokens;
    if (!prices) return [];
    return [
      Object.freeze({ aboveInputTokens, rates: ratesOf(prices, below(`${path}.prices`, report), row) }),
    ];
  });
  return Object.freeze(found);
}

function below(path: string, report: Report): Report {
  return (field, description) => report(`${path}.${field}`, description);
}
