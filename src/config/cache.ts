/** What holds of the cache when nothing is said. */
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Cache,
  type CacheRedis,
  CacheRedisSchema,
  CacheSchema,
} from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import type { Complete } from "./complete.ts";

export type CompleteCache = Complete<Cache>;

export function completeCache(given: Cache = create(CacheSchema)): CompleteCache {
  const enabled = given.enabled ?? false;
  const ttl = given.ttl ?? durationFromMs(3_600_000);
  return {
    ...given,
    enabled,
    ttl,
    maxTtl: given.maxTtl ?? durationFromMs(86_400_000),
    families: Object.fromEntries(
      Object.entries(given.families).map(([name, family]) => [
        name,
        { ...family, enabled: family.enabled ?? enabled, ttl: family.ttl ?? ttl },
      ]),
    ),
    maxEntries: given.maxEntries ?? 10_000,
    maxBytes: given.maxBytes ?? 268_435_456n,
    maxEntryBytes: given.maxEntryBytes ?? 1_048_576,
    maxTemperature: given.maxTemperature ?? 1,
    coalesce: given.coalesce ?? true,
    rememberRequests: given.rememberRequests ?? 0,
    replay: given.replay || "at_once",
    idempotencyWindow: given.idempotencyWindow ?? durationFromMs(86_400_000),
    redis: completeRedis(given.redis),
  };
}

/** Whether answers of any family are kept. */
export function isCacheOn({ enabled, families }: CompleteCache): boolean {
  return enabled || Object.values(families).some((family) => family.enabled);
}

function completeRedis(given: CacheRedis = create(CacheRedisSchema)): Complete<CacheRedis> {
  return {
    ...given,
    enabled: given.enabled ?? true,
    timeout: given.timeout ?? durationFromMs(5),
    maxStaleness: given.maxStaleness ?? durationFromMs(30_000),
  };
}
