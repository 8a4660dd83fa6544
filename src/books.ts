/**
 * What calls come to, kept over all reloads: the ledger on its durable store, budgets on their counters, what was
 * answered under callers' own keys, and what was learnt of models.
 */
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Attempt } from "../gen/ts/llmgateway/v1/receipt_pb.ts";
import { callerlessBudgets } from "./config/budgets.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Environment } from "./config/environment.ts";
import { type Clock, pass } from "./core/clock.ts";
import { Lag } from "./core/lag.ts";
import { toUsd } from "./core/money.ts";
import { type Repeated, repeat } from "./core/repeat.ts";
import { AnswerLengths } from "./cost/answer-lengths.ts";
import type { Budgets } from "./cost/budget/budgets.ts";
import type { Counter, Figures } from "./cost/budget/counters.ts";
import { memoryCounters } from "./cost/budget/memory.ts";
import { redisCounters } from "./cost/budget/redis.ts";
import { createBudgets, type ReloadableBudgets } from "./cost/budget/wall.ts";
import { Estimator } from "./cost/estimate.ts";
import { OutputHistory } from "./cost/history.ts";
import { createLedger, type Ledger } from "./cost/ledger.ts";
import type { Means } from "./cost/means.ts";
import { PromptCaches } from "./cost/prompt-caches.ts";
import { Sessions } from "./cost/sessions.ts";
import { Tokenizer } from "./cost/tokenizer.ts";
import { Unpriced } from "./cost/unpriced.ts";
import type { IdempotentMeans } from "./layers/idempotent.ts";
import type { Signals } from "./layers/record.ts";
import type { Store } from "./store/store.ts";
import { showBudgets } from "./telemetry/budgets.ts";
import { connectRedis, type Redis } from "./wire/redis.ts";

export interface Books extends Omit<Means, "pricing"> {
  /** Undefined when costs are not tracked. */
  readonly ledger: Ledger | undefined;
  readonly unpriced: Unpriced;
  readonly sessions: Sessions;
  readonly lag: Lag;
  /** What callers have made once. */
  readonly keys: Omit<IdempotentMeans, "windowMs">;
  /** To be told of each attempt once it has ended and is priced. */
  settled(attempt: Attempt): void;
  /** Other budgets are in force from now on. */
  replace(config: CompleteConfig): void;
  /** Keeps the prices that are in force from now on. */
  keep(prices: PriceFile): Promise<void>;
  /** Writes what waits, and lets go of everything. */
  close(): Promise<void>;
}

/** The price catalog as it was read. */
export interface PriceFile {
  readonly version: string;
  readonly json: string;
}

export interface Desk {
  readonly env: Environment;
  readonly signals: Signals;
  readonly clock: Clock;
}

/** How often old rows are summed up, and what dead replicas left open is looked for. */
const SWEEP_MS = 60_000;
const REDIS_WAIT_MS = 2_000;
/** Values of budgets that are shown, at most. */
const MAX_SHOWN = 1_000;

/** @throws Error when the store does not answer */
export async function openBooks(config: CompleteConfig, store: Store, desk: Desk): Promise<Books> {
  const unpriced = new Unpriced();
  const learnt = {
    inputs: new Estimator(),
    outputs: new OutputHistory(),
    lengths: new AnswerLengths(),
    caches: new PromptCaches(),
    tokenizer: new Tokenizer(),
    unpriced,
    sessions: new Sessions(desk.clock),
    lag: new Lag(desk.clock),
    keys: keysOn(store, desk),
  };
  const forgetting = forgetKeys(learnt.keys);
  const forget = async () => {
    learnt.lag.stop();
    await forgetting.stop();
    await learnt.tokenizer.close();
  };
  const { logger } = desk.signals;
  if (!config.prices.trackingEnabled) {
    logger.warn("cost tracking is off: no call is priced, no budget kept, and no ledger");
    const budgets: Budgets = {
      reach: () => "none",
      reserve: () => Promise.reject(new Error("there are no budgets")),
      foresee: async () => ({ standings: [], incomplete: false, granted: undefined, refusal: undefined }),
    };
    const nothing = { settled: () => {}, replace: () => {}, keep: async () => {}, close: forget };
    return { ...learnt, ...nothing, budgets, ledger: undefined };
  }
  const tellCallerless = (next: CompleteConfig) => {
    for (const budget of callerlessBudgets(next))
      logger.warn(budget, "a budget is about a key or a tenant that nobody has: it counts nothing");
  };
  tellCallerless(config);
  const ledger = ledgerOn(store, config, desk);
  const { budgets, redis } = budgetsOn(store, ledger, config, desk);
  const sweeping = await sweep(store, config, desk);
  // One that is away for longer is no reason not to serve what no budget is about.
  if (redis) await Promise.race([redis.connected, pass(desk.clock, REDIS_WAIT_MS)]);
  return {
    ...learnt,
    settled(attempt) {
      const model = unpriced.settled(attempt);
      if (model)
        logger.warn({ model }, "no price is known for this model: its calls are booked without a cost");
    },
    budgets,
    ledger,
    replace(next) {
      budgets.replace(next.budgets);
      tellCallerless(next);
    },
    keep: (prices) => keep(prices, store, desk),
    async close() {
      await sweeping.stop();
      await ledger.close();
      await budgets.close();
      await redis?.close();
      await forget();
    },
  };
}

function ledgerOn(store: Store, { ledger }: CompleteConfig, { signals, clock }: Desk): Ledger {
  const { logger, metrics } = signals;
  return createLedger({
    store: store.ledger,
    clock,
    maxWaitingRows: ledger.maxWaitingRows,
    whenFull: ledger.whenFull === "drop" ? "drop" : "wait",
    onLost: (rows) => {
      metrics.ledgerLostRows.inc(rows);
      logger.error({ rows }, "rows of the ledger are lost");
    },
    onError: (error) => {
      metrics.ledgerErrors.inc();
      logger.error({ err: error }, "the ledger could not be written");
    },
  });
}

function budgetsOn(
  store: Store,
  ledger: Ledger,
  config: CompleteConfig,
  { env, signals, clock }: Desk,
): { budgets: ReloadableBudgets; redis: Redis | undefined } {
  const { logger, metrics } = signals;
  const random = Math.random;
  const redis = env.REDIS_URL
    ? connectRedis({
        url: env.REDIS_URL,
        clock,
        random,
        onChange: (state, reason) => logger[state === "away" ? "error" : "info"]({ state, reason }, "redis"),
      })
    : undefined;
  const budgets = createBudgets({
    budgets: config.budgets,
    counters: redis ? redisCounters({ redis }) : memoryCounters,
    clock,
    random,
    spentSince: async (filter, sinceMs) => {
      await ledger.flush();
      return store.ledger.spent(filter, sinceMs);
    },
    onThreshold: (figures, ratio) => {
      metrics.budgetWarnings.inc({ budget: figures.counter.budget, ratio: String(ratio) });
      logger.warn({ ...standingOf(figures), ratio }, "a budget's spend has reached a part of its limit");
    },
    onRefused: (budget) => metrics.budgetRefusals.inc({ budget }),
  });
  showBudgets(metrics.registry, () => budgets.snapshot(MAX_SHOWN).map(standingOf));
  return { budgets, redis };
}

function standingOf({ counter, spent, reserved }: Figures) {
  const { budget, scope, limit }: Counter = counter;
  return { budget, scope, limitUsd: toUsd(limit), spentUsd: toUsd(spent), reservedUsd: toUsd(reserved) };
}

/** What dead gateways left open is booked before any call is served, so that no budget is below what was spent. */
async function sweep(
  { ledger }: Store,
  { ledger: { retention } }: CompleteConfig,
  { signals, clock }: Desk,
): Promise<Repeated> {
  const { logger, metrics } = signals;
  const bookOrphans = async () => {
    const orphans = await ledger.closeOrphans(clock.now());
    if (orphans === 0) return;
    metrics.orphanedAttempts.inc(orphans);
    logger.warn({ attempts: orphans }, "attempts that a dead gateway left open are booked at their maximum");
  };
  const rollUp = () => ledger.rollUp(clock.now(), clock.now() - durationMs(retention));
  await bookOrphans();
  return repeat(clock, SWEEP_MS, () =>
    bookOrphans()
      .then(rollUp)
      .catch((error: unknown) => logger.error({ err: error }, "the ledger could not be swept")),
  );
}

function keysOn({ idempotency: store }: Store, { signals, clock }: Desk): Books["keys"] {
  const onError = (error: unknown) =>
    signals.logger.error({ err: error }, "the database of idempotency keys did not answer");
  return { store, clock, underWay: new Map(), onError };
}

/** Those whose time is over. */
function forgetKeys({ store, clock, onError }: Books["keys"]): Repeated {
  return repeat(clock, SWEEP_MS, () => store.sweep(clock.now()).catch(onError));
}

async function keep(
  { version, json }: PriceFile,
  { ledger }: Store,
  { signals, clock }: Desk,
): Promise<void> {
  if (await ledger.keepCatalog(version, json, clock.now())) return;
  const text = "other prices were kept under this version before; give the catalog a new one";
  signals.logger.error({ price_version: version }, text);
}
