/**
 * Where answers are kept, over all reloads: in memory, and on Redis behind it where there is one, on connections of
 * their own, so that large answers do not stand before what is small and urgent.
 */
import { randomUUID } from "node:crypto";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Answers } from "./cache/answers.ts";
import { CHANNEL, Clears } from "./cache/clears.ts";
import { LeasedTurns } from "./cache/leased-turns.ts";
import { type Direction, Link } from "./cache/link.ts";
import type { Memory } from "./cache/memory.ts";
import { Shared } from "./cache/shared.ts";
import { Stored } from "./cache/stored.ts";
import { ALONE, type Turns } from "./cache/turns.ts";
import { isCacheOn } from "./config/cache.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Environment } from "./config/environment.ts";
import { type Clock, pass } from "./core/clock.ts";
import type { Signals } from "./layers/record.ts";
import { connectRedis } from "./wire/redis.ts";
import { listenOnRedis } from "./wire/redis-listener.ts";

export interface Kept {
  readonly answers: Answers;
  readonly turns: Turns;
  close(): Promise<void>;
}

export interface KeptAnswers extends Kept {
  /** Another configuration is in force: the cache may be on from now on, or be asked of Redis no more. */
  replace(config: Configured): void;
}

type Configured = Pick<CompleteConfig, "cache">;

/** What holds of Redis by the configuration in force. */
interface Limits {
  readonly timeoutMs: number;
  readonly maxStalenessMs: number;
  readonly maxEntryBytes: number;
  /** Of all configurations until now, since answers are there that were kept under any of them. */
  readonly maxTtlMs: number;
}

export interface Desk {
  readonly env: Environment;
  readonly signals: Signals;
  readonly clock: Clock;
}

/** One that is away for longer is no reason not to serve. */
const REDIS_WAIT_MS = 2_000;
/** Times as long as for others Redis may take for a call that waits for another's answer. */
const PATIENCE = 20;

/** Connects once the cache is on for the first time. */
export async function openAnswers(memory: Memory, config: Configured, desk: Desk): Promise<KeptAnswers> {
  const { env, clock } = desk;
  const { REDIS_URL: url } = env;
  const alone: Kept = { answers: memory, turns: ALONE, close: async () => {} };
  let shared: SharedKept | undefined;
  let kept = alone;
  let limits = limitsOf(config);
  const replace = (next: Configured) => {
    const { cache } = next;
    limits = limitsOf(next, limits);
    if (url && isCacheOn(cache) && cache.redis.enabled) shared ??= share(url, memory, () => limits, desk);
    kept = (cache.redis.enabled && shared) || alone;
  };
  replace(config);
  if (shared) await Promise.race([shared.connected, pass(clock, REDIS_WAIT_MS)]);
  return {
    answers: {
      find: (key, tenant) => kept.answers.find(key, tenant),
      atHand: (key) => kept.answers.atHand(key),
      keep: (key, entry) => kept.answers.keep(key, entry),
      restore: (key, entry) => kept.answers.restore(key, entry),
      // Redis is told even while it is not asked: it may be again.
      clear: (which) => (shared ?? alone).answers.clear(which),
      get clears() {
        return memory.clears;
      },
      isCleared: (told, since) => memory.isCleared(told, since),
    },
    turns: { take: (...asked) => kept.turns.take(...asked) },
    replace,
    close: () => (shared ?? alone).close(),
  };
}

function limitsOf({ cache }: Configured, before?: Limits): Limits {
  return {
    timeoutMs: durationMs(cache.redis.timeout),
    maxStalenessMs: durationMs(cache.redis.maxStaleness),
    maxEntryBytes: cache.maxEntryBytes,
    maxTtlMs: Math.max(durationMs(cache.maxTtl), before?.maxTtlMs ?? 0),
  };
}

type SharedKept = Kept & { readonly connected: Promise<void> };

function share(url: string, memory: Memory, limits: () => Limits, { signals, clock }: Desk): SharedKept {
  const { logger, metrics } = signals;
  const random = Math.random;
  const onError = (operation: string, reason: string) => {
    metrics.cacheRedisErrors.inc({ operation });
    logger.debug({ operation, reason }, "redis failed the cache");
  };
  const onRest = (direction: Direction, resting: boolean) => {
    metrics.cacheRedisState.set({ direction }, resting ? 0 : 1);
    const text = resting ? "the cache leaves redis alone for a while" : "the cache uses redis again";
    logger[resting ? "warn" : "info"]({ direction }, text);
  };
  const redis = connectRedis({
    url,
    clock,
    random,
    bytes: true,
    onChange: (state, reason) => {
      logger[state === "away" ? "warn" : "info"]({ state, reason }, "redis of the cache");
      if (state === "connected") link.revive();
    },
  });
  const link = new Link({
    redis,
    clock,
    get timeoutMs() {
      return limits().timeoutMs;
    },
    onError,
    onRest,
  });
  for (const direction of ["read", "write"]) metrics.cacheRedisState.set({ direction }, 1);
  const clears = new Clears({
    link,
    get maxTtlMs() {
      return limits().maxTtlMs;
    },
    onClear: (which) => void memory.clear(which),
  });
  const stored = new Stored({
    link,
    clears,
    clock,
    get maxEntryBytes() {
      return limits().maxEntryBytes;
    },
  });
  const shared = new Shared({
    memory,
    stored,
    clears,
    link,
    clock,
    get maxStalenessMs() {
      return limits().maxStalenessMs;
    },
    onHit: (tier) => metrics.cacheTierHits.inc({ tier }),
    onError,
  });
  const listener = listenOnRedis({
    url,
    random,
    channel: CHANNEL,
    onMessage: (message) => clears.heard(message),
    // What was cleared meanwhile was not heard.
    onListening: () => void clears.upTo(undefined),
  });
  const turns = new LeasedTurns({
    link,
    stored,
    clock,
    newToken: randomUUID,
    get patienceMs() {
      return PATIENCE * limits().timeoutMs;
    },
    onFound: (key, entry) => shared.admit(key, entry),
  });
  return {
    answers: shared,
    turns,
    connected: redis.connected,
    async close() {
      shared.close();
      listener.close();
      await redis.close();
    },
  };
}
