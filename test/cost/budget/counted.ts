/** Budgets over a ledger of the test's own, in memory or on Redis, and all that they told. */
import { type Clock, systemClock } from "../../../src/core/clock.ts";
import type { SpendFilter } from "../../../src/core/ledger.ts";
import { type PicoUsd, ZERO } from "../../../src/core/money.ts";
import type { Ask, Spending } from "../../../src/cost/budget/budgets.ts";
import type { CreateCounters } from "../../../src/cost/budget/counters.ts";
import { memoryCounters } from "../../../src/cost/budget/memory.ts";
import { type RedisCountersOptions, redisCounters } from "../../../src/cost/budget/redis.ts";
import type { BudgetRule } from "../../../src/cost/budget/scopes.ts";
import { type BudgetOptions, createBudgets } from "../../../src/cost/budget/wall.ts";
import { connectRedis } from "../../../src/wire/redis.ts";
import { hasRedis, type RedisServer, startRedis } from "../../support/redis.ts";

/** Thousandths of a dollar. */
export function mills(count: number): PicoUsd {
  return (BigInt(Math.round(count * 1_000)) * 1_000_000n) as PicoUsd;
}

export function spending(fields: Partial<Spending> = {}): Spending {
  return { tenant: "acme", principal: "app", provider: "openai", model: "gpt-4o", tags: {}, ...fields };
}

/** Amounts in thousandths of a dollar. */
export function ask(least: number, wanted = least, most = wanted, fields: Partial<Ask> = {}): Ask {
  return {
    spending: spending(),
    least: mills(least),
    wanted: mills(wanted),
    most: mills(most),
    signal: new AbortController().signal,
    ...fields,
  };
}

/** Where budgets are counted: what the contract holds for. */
export interface Engine {
  /** Counters of a gateway more, connected, over the same memory where it is shared. */
  join(options?: Omit<RedisCountersOptions, "redis"> & { timeoutMs?: number }): Promise<CreateCounters>;
  readonly redis: RedisServer | undefined;
  close(): Promise<void>;
}

export const ENGINES: Readonly<Record<string, () => Promise<Engine>>> = {
  memory: async () => ({ join: async () => memoryCounters, redis: undefined, close: async () => {} }),
  ...(hasRedis("counting budgets on Redis") && { redis: redisEngine }),
};

export async function redisEngine(): Promise<Engine> {
  const redis = await startRedis();
  const connections: { close(): Promise<void> }[] = [];
  return {
    redis,
    async join({ timeoutMs = 2_000, ...options } = {}) {
      const { promise: connected, resolve: onChange } = Promise.withResolvers();
      const { url } = redis;
      const { random } = Math;
      const connection = connectRedis({ url, clock: systemClock, random, timeoutMs, onChange });
      connections.push(connection);
      await connected;
      return redisCounters({ redis: connection, ...options });
    },
    async close() {
      await Promise.all(connections.map((one) => one.close()));
      await redis[Symbol.asyncDispose]();
    },
  };
}

export interface CountedInit extends Partial<Omit<BudgetOptions, "budgets" | "counters">> {
  /** What the ledger says was spent before. */
  readonly before?: PicoUsd;
}

export function counted(budgets: readonly BudgetRule[], counters: CreateCounters, init: CountedInit = {}) {
  const { before = ZERO, ...options } = init;
  const loads: { filter: SpendFilter; sinceMs: number }[] = [];
  const warnings: string[] = [];
  const refusals: string[] = [];
  const clock: Clock = init.clock ?? systemClock;
  const wall = createBudgets({
    budgets,
    counters,
    clock,
    random: Math.random,
    spentSince: async (filter, sinceMs) => {
      loads.push({ filter, sinceMs });
      return before;
    },
    onThreshold: ({ counter }, ratio) => warnings.push(`${counter.budget} ${ratio}`),
    onRefused: (budget) => refusals.push(budget),
    ...options,
  });
  return { wall, loads, warnings, refusals };
}
