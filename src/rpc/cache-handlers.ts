/** What each RPC of AdminService does that is about the cache. Who may call them is the door's to say. */
import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  AdminService,
  type ClearCacheRequest,
  type ClearCacheResponse,
  ClearCacheResponseSchema,
  type GetCacheStatsResponse,
  GetCacheStatsResponseSchema,
  type WarmCacheRequest,
} from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import type { Answers, Figured, Which } from "../cache/answers.ts";
import type { Frequent } from "../cache/frequent.ts";
import { type CacheStats, hitRate, NOTHING } from "../cache/stats.ts";
import type { RequestContext } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure, invalidRequest, NOTHING_SAID } from "../core/failure.ts";
import { type PicoUsd, toUsd } from "../core/money.ts";
import type { Handler } from "./door.ts";
import { type Means, type Wanted, warm } from "./warm.ts";

export interface CacheBackend {
  readonly answers: Answers;
  /** Of what is in this process. */
  readonly memory: Figured;
  readonly cacheStats: CacheStats;
  readonly frequent: Frequent;
  /** Questions that are known by their meaning; absent where there are none. */
  readonly semanticEntries?: () => number;
  readonly clock: Clock;
  /** Asked for each request, since a reload replaces it. */
  inForce(): InForce;
}

export interface InForce extends Omit<Means, "clock"> {
  readonly cacheIsOn: boolean;
  /** Under which name answers of a model or an alias are kept. */
  cacheFamily(model: string): string;
}

export function cacheHandlers(backend: CacheBackend): ReadonlyMap<DescMethod, Handler> {
  const { getCacheStats, clearCache, warmCache } = AdminService.method;
  return new Map<DescMethod, Handler>([
    [getCacheStats, async () => ({ message: statsOf(backend) })],
    [clearCache, async (message) => ({ message: await clear(backend, message as ClearCacheRequest) })],
    [
      warmCache,
      async (message, context) => {
        const request = message as WarmCacheRequest;
        const wanted = wantedOf(backend, request, context);
        const means: Means = {
          service: (call) => backend.inForce().service(call),
          preview: (chat, as) => backend.inForce().preview(chat, as),
          objectionTo: (call) => backend.inForce().objectionTo(call),
          clock: backend.clock,
        };
        return { batches: warm(wanted, request, context, means) };
      },
    ],
  ]);
}

function statsOf({ memory, cacheStats: stats, frequent, semanticEntries, clock, inForce }: CacheBackend) {
  const { models, evictions, oldestAtMs, newestAtMs, ...kept } = memory.figures();
  const names = [...new Set([...models.keys(), ...stats.models.keys()])];
  const nowMs = clock.now();
  return create(GetCacheStatsResponseSchema, {
    enabled: inForce().cacheIsOn,
    entries: kept.entries,
    bytes: BigInt(kept.bytes),
    maxEntries: kept.maxEntries,
    maxBytes: BigInt(kept.maxBytes),
    semanticEntries: semanticEntries?.() ?? 0,
    rememberedRequests: frequent.size,
    ...countsOf(stats.total),
    kinds: KINDS.map((kind) => {
      const { hits, savedUsd, savedPicoUsd } = countsOf(stats.kinds.get(kind));
      return { kind, hits, savedUsd, savedPicoUsd };
    }),
    models: names
      .map((model) => {
        const { entries = 0, bytes = 0 } = models.get(model) ?? {};
        return { model, entries, bytes: BigInt(bytes), ...countsOf(stats.models.get(model)) };
      })
      .sort((a, b) => Number(b.hits + b.misses - a.hits - a.misses) || (a.model < b.model ? -1 : 1)),
    evictions: Object.entries(evictions).map(([reason, count]) => ({ reason, count: BigInt(count) })),
    ...(oldestAtMs === undefined ? {} : { oldestAgeMs: BigInt(nowMs - oldestAtMs) }),
    ...(newestAtMs === undefined ? {} : { newestAgeMs: BigInt(nowMs - newestAtMs) }),
    since: timestampFromMs(stats.sinceMs),
  }) satisfies GetCacheStatsResponse & Message;
}

const KINDS = ["exact", "semantic", "coalesced", "idempotent"];

function countsOf(counts = NOTHING) {
  const { hits, misses, skipped, savedPicoUsd } = counts;
  return {
    hits: BigInt(hits),
    misses: BigInt(misses),
    skipped: BigInt(skipped),
    hitRate: hitRate(counts),
    savedUsd: toUsd(savedPicoUsd as PicoUsd),
    savedPicoUsd,
  };
}

async function clear(backend: CacheBackend, request: ClearCacheRequest): Promise<ClearCacheResponse> {
  const { answers, frequent, inForce } = backend;
  const { tenant, model, tag, all, forgetRequests } = request;
  const some = tenant !== "" || model !== "" || tag !== "";
  if (all === some) {
    const description = all
      ? "must not be true beside tenant, model or tag: leave it out to let go of those alone"
      : "must be true to let go of every answer; or say which by tenant, model or tag";
    throw invalidRequest([{ field: "all", description }]);
  }
  const [key = "", ...value] = tag.split("=");
  const which: Which = {
    ...(tenant ? { tenant } : {}),
    ...(model ? { family: inForce().cacheFamily(model) } : {}),
    ...(tag ? { tag: { key, value: value.join("=") } } : {}),
  };
  const forgotten = forgetRequests ? frequent.forget(which) : 0;
  const cleared = await answers.clear(which);
  return create(ClearCacheResponseSchema, {
    cleared: BigInt(cleared),
    forgottenRequests: BigInt(forgotten),
  });
}

/** @throws Failure where nothing can be kept, or there is nothing to ask */
function wantedOf(
  { frequent, inForce }: CacheBackend,
  { requests, mostFrequent, tenant, cacheScope }: WarmCacheRequest,
  context: RequestContext,
): Wanted[] {
  if (!inForce().cacheIsOn)
    throw new Failure("invalid_request", "the cache is off, so that nothing can be kept: set cache.enabled");
  if (requests.length === 0 && mostFrequent === 0) {
    const description = "must hold a request, or most_frequent must be above 0";
    throw invalidRequest([{ field: "requests", description }]);
  }
  const empty = requests.findIndex(({ messages, template }) => messages.length === 0 && template === "");
  if (empty >= 0) throw invalidRequest([{ ...NOTHING_SAID, field: `requests[${empty}].messages` }]);
  const own = { tenant: tenant ?? context.tenant, cacheScope: cacheScope ?? context.cacheScope };
  const theirs = frequent.most(
    mostFrequent,
    (one) =>
      (tenant === undefined || one.tenant === tenant) &&
      (cacheScope === undefined || one.cacheScope === cacheScope),
  );
  return [...requests.map((request) => ({ request, ...own })), ...theirs];
}
