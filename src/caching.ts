/** What the configuration says of the cache, as its layer asks for it: made once, and looked up for each call. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ChatRequest } from "../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Answers } from "./cache/answers.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import { type Call, isBatch, type Target } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import type { CacheMeans, FamilyRule } from "./layers/cache.ts";
import { type Directory, named } from "./routing/named.ts";

export interface CachingMeans {
  readonly directory: Directory;
  /** The name under which all names of one model are one. */
  familyOf(target: Target): string;
  readonly answers: Answers;
  readonly clock: Clock;
}

export function cachingOf({ cache, aliases }: CompleteConfig, means: CachingMeans): CacheMeans {
  const { directory, answers, clock } = means;
  const usual = { enabled: cache.enabled, ttlMs: durationMs(cache.ttl) };
  const rules = new Map(
    Object.entries(cache.families).map(([family, { enabled, ttl }]) => [
      family,
      { family, enabled, ttlMs: durationMs(ttl) },
    ]),
  );
  const familyOf = (request: ChatRequest): string => {
    const { model, modelVersion, routingPolicy, preferLowCost, taskType } = request;
    const chosen = JSON.stringify([model, routingPolicy, preferLowCost, taskType]);
    if (model === "" || Object.hasOwn(aliases, model))
      return routingPolicy || preferLowCost ? chosen : model || chosen;
    return means.familyOf(named(model, modelVersion, "chat", directory).target);
  };
  return {
    answers,
    clock,
    maxTtlMs: durationMs(cache.maxTtl),
    maxEntryBytes: cache.maxEntryBytes,
    coalesce: cache.coalesce,
    replay: cache.replay === "paced" ? "paced" : "at_once",
    ruleOf: (request): FamilyRule => {
      const family = familyOf(request);
      return rules.get(family) ?? { family, ...usual };
    },
    objectionTo: (call, request) => objectionTo(call, request, cache.maxTemperature),
  };
}

function objectionTo(call: Call, request: ChatRequest, maxTemperature: number): string {
  if (request.cache === "bypass") return "the request wants none";
  if (request.sensitive) return "the request is sensitive";
  if (call.parking || isBatch(call)) return "a batch is answered once";
  if ((request.parameters?.temperature ?? 1) > maxTemperature) return "its temperature is too high";
  if (request.tools.some(({ hasEffects }) => hasEffects)) return "it has a tool with effects";
  return "";
}
