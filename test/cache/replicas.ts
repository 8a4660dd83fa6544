/** Caches of replicas on one real Redis, and answers to keep in them. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CacheSchema } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import { type KeptAnswers, openAnswers } from "../../src/answers.ts";
import type { Entry } from "../../src/cache/answers.ts";
import { Memory } from "../../src/cache/memory.ts";
import { completeCache } from "../../src/config/cache.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { event } from "../../src/core/reply.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { createMetrics, type Metrics } from "../../src/telemetry/metrics.ts";
import { CollectedLog } from "../support/gateway.ts";

export interface Replica {
  readonly kept: KeptAnswers;
  readonly memory: Memory;
  readonly metrics: Metrics;
  readonly log: CollectedLog;
  /** As a reload does. */
  replace(init: MessageInitShape<typeof CacheSchema>): void;
  find(key: string, tenant?: string): Promise<Entry | undefined>;
  /** How many hits there were from there. */
  hits(tier: "memory" | "redis"): Promise<number>;
}

export async function replicaAt(
  url: string,
  init: MessageInitShape<typeof CacheSchema> = {},
  clock: Clock = systemClock,
): Promise<Replica> {
  const metrics = createMetrics();
  const log = new CollectedLog();
  const memory = new Memory(clock, { maxEntries: 1_000, maxBytes: 100_000_000 });
  const configured = (fields: MessageInitShape<typeof CacheSchema>) => ({
    cache: completeCache(create(CacheSchema, { enabled: true, ...fields })),
  });
  const signals = { metrics, logger: createLog("debug", log).logger };
  const kept = await openAnswers(memory, configured(init), { env: { REDIS_URL: url }, signals, clock });
  return {
    kept,
    memory,
    metrics,
    log,
    replace: (next) => kept.replace(configured(next)),
    find: async (key, tenant = "acme") => kept.answers.find(key, tenant),
    async hits(tier) {
      const { values } = await metrics.cacheTierHits.get();
      return values.find(({ labels }) => labels.tier === tier)?.value ?? 0;
    },
  };
}

export function entryOf(text: string, fields: Partial<Entry> = {}, nowMs = Date.now()): Entry {
  return {
    answer: {
      batches: [
        { events: [event({ token: text })], atMs: 0 },
        { events: [event({ done: true, finishReason: "stop" })], atMs: 3 },
      ],
      provider: "openai",
      model: "gpt-4o",
      costPicoUsd: 1_234n as PicoUsd,
      requestId: "req-1",
      storedAtMs: nowMs,
    },
    tenant: "acme",
    family: "openai/gpt-4o",
    tags: {},
    expiresAtMs: nowMs + 3_600_000,
    bytes: 500,
    ...fields,
  };
}

export function textOf(entry: Entry | undefined): string | undefined {
  return entry?.answer.batches[0]?.events[0]?.token;
}
