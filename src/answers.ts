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
  /** Another configuration is in force: the cache may be on from now on. */
  replace(config: Configured): void;
}

type Configured = Pick<CompleteConfig, "cache">;

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
  let kept: Kept = { answers: memory, turns: ALONE, close: async () => {} };
  let connected: Promise<void> | undefined;
  const replace = ({ cache }: Configured) => {
    if (!url || connected || !isCacheOn(cache) || !cache.redis.enabled) return;
    const shared = share(url, memory, cache, desk);
    connected = shared.connected;
    kept = shared;
  };
  replace(config);
  if (connected) await Promise.race([connected, pass(clock, REDIS_WAIT_MS)]);
  return {
    answers: {
      find: (key, tenant) => kept.answers.find(key, tenant),
      atHand: (key) => kept.answers.atHand(key),
      keep: (key, entry) => kept.answers.keep(key, entry),
      clear: (which) => kept.answers.clear(which),
    },
    turns: { take: (...asked) => kept.turns.take(...asked) },
    replace,
    close: () => kept.close(),
  };
}

function share(
  url: string,
  memory: Memory,
  cache: Configured["cache"],
  { signals, clock }: Desk,
): Kept & { readonly connected: Promise<void> } {
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
  const link = new Link({ redis, clock, timeoutMs: durationMs(cache.redis.timeout), onError, onRest });
  for (const direction of ["read", "write"]) metrics.cacheRedisState.set({ direction }, 1);
  const clears = new Clears({
    link,
    maxTtlMs: durationMs(cache.maxTtl),
    onClear: (which) => void memory.clear(which),
  });
  const stored = new Stored({ link, clears, clock, maxEntryBytes: cache.maxEntryBytes });
  const shared = new Shared({
    memory,
    stored,
    clears,
    link,
    clock,
    maxStalenessMs: durationMs(cache.redis.maxStaleness),
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
    patienceMs: PATIENCE * durationMs(cache.redis.timeout),
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
