/**
 * Weeks of a company's spend by the hour, made up by a seed, with faults to be planted: office hours, weekends, a model
 * by night, one that is used now and then, and chance in all of it. It knows nothing of what is usual.
 */
import type { Anomaly } from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import { HOUR_MS } from "../../src/core/hours.ts";
import { usage } from "../../src/core/usage.ts";
import type { UsageSums } from "../../src/core/usage-store.ts";
import { Episodes } from "../../src/cost/anomaly/episodes.ts";
import type { Rule } from "../../src/cost/anomaly/finding.ts";
import { Judge } from "../../src/cost/anomaly/judge.ts";
import { worthOf } from "../../src/cost/anomaly/worth.ts";
import { type Catalog, loadCatalog } from "../../src/cost/catalog.ts";
import { priced } from "../../src/cost/price.ts";
import { randomOf } from "./random.ts";

/** A Monday. */
export const BEGIN = Date.UTC(2026, 5, 1) / HOUR_MS;
export const DAY = 24;
export const WEEK = 7 * DAY;

interface Model {
  readonly provider: string;
  readonly model: string;
  /** Attempts in its busiest hour. */
  readonly attempts: number;
  readonly input: number;
  readonly output: number;
  readonly when: "office" | "always" | "night" | "rarely";
}

export const MODELS: readonly Model[] = [
  { provider: "openai", model: "large", attempts: 400, input: 3_000, output: 500, when: "office" },
  { provider: "openai", model: "small", attempts: 3_000, input: 1_500, output: 300, when: "office" },
  { provider: "claude", model: "large", attempts: 250, input: 4_000, output: 800, when: "always" },
  { provider: "gemini", model: "quick", attempts: 900, input: 900, output: 200, when: "always" },
  { provider: "mistral", model: "batch", attempts: 600, input: 6_000, output: 400, when: "night" },
  { provider: "bedrock", model: "seldom", attempts: 60, input: 2_000, output: 600, when: "rarely" },
];

/** What a fault does to the attempts of a model in an hour; hours count from the month's begin. */
export type Fault = (model: Model, hour: number) => Change | undefined;

interface Change {
  /** Times as many attempts. */
  readonly times?: number;
  /** Of the attempts, how many have no price, or tokens that were counted. */
  readonly unpriced?: number;
  readonly estimated?: number;
}

export interface Month {
  readonly seed: number;
  readonly weeks?: number;
  readonly models?: readonly Model[];
  readonly fault?: Fault;
  /** By which an hour's prices are those of the catalog. */
  readonly prices?: (hour: number) => number;
}

/** @returns the rows of the store by hour and model, hour by hour */
export function hoursOf({ seed, weeks = 6, models = MODELS, fault, prices = () => 1 }: Month): UsageSums[][] {
  const random = randomOf(seed);
  // Drawn in the same order whatever is planted, so that only the fault differs.
  return Array.from({ length: weeks * WEEK }, (_, hour) => {
    const company = Math.exp(0.05 * normal(random));
    return models.flatMap((model) => {
      const luck = [normal(random), normal(random), normal(random), random()] as const;
      const { times = 1, unpriced = 0, estimated = 0.01 } = fault?.(model, hour) ?? {};
      const usual = model.attempts * times * weightOf(model, hour, luck[3]) * company;
      const attempts = Math.round(Math.max(0, usual * Math.exp(0.1 * luck[0]) + Math.sqrt(usual) * luck[1]));
      return attempts === 0
        ? []
        : [rowOf(model, hour, attempts, { unpriced, estimated }, prices(hour), luck[2])];
    });
  });
}

/** As those who look at each hour once it is over would have it. */
export function anomaliesOf(
  month: Month,
  rule: Rule = { ratio: 2, minUsd: 1 },
  now: (hour: number) => number = () => 1,
): Anomaly[] {
  const hours = hoursOf(month);
  const episodes = new Episodes();
  let judge = new Judge();
  let factor = now(0);
  const learn = (from: number, to: number) => {
    const rows = hours.slice(from, to + 1).flatMap((sums, index) =>
      sums.map((sum) => {
        const [provider = "", model = ""] = sum.group;
        return {
          ...sum,
          hour: BEGIN + from + index,
          target: { provider, model },
          worth: worthOf(catalogAt(factor).find(provider, model), sum),
          booked: Number(sum.costPicoUsd),
          bookedEstimated: Number(sum.estimatedPicoUsd),
        };
      }),
    );
    judge.learn(BEGIN + from, BEGIN + to, rows);
  };
  for (let hour = 0; hour < hours.length; hour++) {
    if (now(hour) !== factor) {
      factor = now(hour);
      judge = new Judge();
      learn(Math.max(0, hour - 5 * WEEK), hour);
      for (let past = Math.max(0, hour - 5 * WEEK); past < hour; past++) judge.judge(BEGIN + past, rule);
    } else learn(hour, hour);
    episodes.add(BEGIN + hour, judge.judge(BEGIN + hour, rule).findings);
  }
  return episodes.within(0, Number.MAX_SAFE_INTEGER).reverse();
}

/** In words that a test can expect. */
export function told({ kind, provider, model }: Anomaly): string {
  return model ? `${kind} ${provider}/${model}` : kind;
}

const catalogs = new Map<number, Catalog>();

/** Prices of which all are so many times those of the first. */
export function catalogAt(factor: number): Catalog {
  const known = catalogs.get(factor);
  if (known) return known;
  const row = (input: number, output: number) => ({
    input_per_1k_tokens: Number((input * factor).toPrecision(9)),
    output_per_1k_tokens: Number((output * factor).toPrecision(9)),
  });
  const catalog = loadCatalog(
    JSON.stringify({
      version: `test-${factor}`,
      last_updated: "2026-06-01",
      providers: {
        openai: { large: row(0.0025, 0.01), small: row(0.00015, 0.0006), fresh: row(0.005, 0.02) },
        claude: { large: row(0.003, 0.015) },
        gemini: { quick: row(0.0001, 0.0004) },
        mistral: { batch: row(0.0004, 0.002) },
        bedrock: { seldom: row(0.001, 0.005) },
      },
    }),
    "test",
  );
  catalogs.set(factor, catalog);
  return catalog;
}

function weightOf({ when }: Model, hour: number, luck: number): number {
  const ofDay = hour % DAY;
  const weekend = Math.floor(hour / DAY) % 7 >= 5;
  if (when === "always") return 0.7 + 0.3 * Math.sin(((ofDay - 8) / DAY) * 2 * Math.PI);
  if (when === "night") return ofDay >= 1 && ofDay < 5 ? 1 : 0;
  if (when === "rarely") return luck < 0.15 ? 1 : 0;
  const office = Math.max(0.02, Math.sin(((ofDay - 6) / 14) * Math.PI));
  return (ofDay >= 6 && ofDay < 20 ? office : 0.02) * (weekend ? 0.15 : 1);
}

function rowOf(
  { provider, model, input, output }: Model,
  hour: number,
  attempts: number,
  share: { unpriced: number; estimated: number },
  factor: number,
  luck: number,
): UsageSums {
  const unpriced = Math.round(attempts * share.unpriced);
  const estimated = Math.round(attempts * share.estimated);
  const length = Math.exp((0.6 * luck) / Math.sqrt(attempts));
  const inputTokens = Math.round(attempts * input * length);
  const outputTokens = Math.round(attempts * output * length);
  const price = catalogAt(factor).find(provider, model);
  const used = usage("measured", { inputTokens, outputTokens });
  const whole = price ? (priced(price, used)?.total ?? 0n) : 0n;
  const cost = (whole * BigInt(attempts - unpriced)) / BigInt(attempts);
  return {
    group: [provider, model, new Date((BEGIN + hour) * HOUR_MS).toISOString()],
    attempts,
    ok: attempts,
    failed: 0,
    abandoned: 0,
    unknown: 0,
    estimated,
    unpriced,
    inputTokens,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens,
    reasoningTokens: 0,
    costPicoUsd: cost,
    estimatedPicoUsd: (cost * BigInt(estimated)) / BigInt(attempts),
    unknownPicoUsd: 0n,
    requests: attempts,
    errors: 0,
    cachedRequests: 0,
    savedPicoUsd: 0n,
    adjustmentPicoUsd: 0n,
    latencies: [],
  };
}

/** Of mean 0 and deviation 1, near enough. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
