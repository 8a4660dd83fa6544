/** What of the cache outlives a snapshot, and what operators ask of it beside calls. It does not judge what is kept. */
import { create } from "@bufbuild/protobuf";
import { ChatRequestSchema } from "../gen/ts/llmgateway/v1/chat_pb.ts";
import { type Desk, type Kept, openAnswers } from "./answers.ts";
import type { Figured } from "./cache/answers.ts";
import { Frequent } from "./cache/frequent.ts";
import { CacheStats } from "./cache/stats.ts";
import { boundsOf, memoryOf } from "./caching.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Call } from "./core/call.ts";
import type { CacheMeans } from "./layers/cache.ts";

export interface Cached extends Kept {
  /** What of the answers is in this process. */
  readonly memory: Figured;
  /** What came of them. */
  readonly cacheStats: CacheStats;
  /** What was asked most. */
  readonly frequent: Frequent;
  /** Another configuration is in force: other bounds, and it may be on from now on. */
  replace(config: CompleteConfig): void;
}

export async function openCached(config: CompleteConfig, desk: Desk): Promise<Cached> {
  const { clock, signals } = desk;
  const memory = memoryOf(config, clock, signals.metrics);
  const kept = await openAnswers(memory, config, desk);
  return {
    ...kept,
    memory,
    cacheStats: new CacheStats(clock),
    frequent: new Frequent(config.cache.rememberRequests),
    replace(next) {
      memory.rebound(boundsOf(next));
      kept.replace(next);
    },
  };
}

/** What holds for answers by one configuration. */
export interface Keeping {
  /** Whether any are kept. */
  readonly cacheIsOn: boolean;
  /** Why an answer to a call may not be kept; empty when it may be. */
  objectionTo(call: Call): string;
  /** Under which name answers of a model or an alias are kept. */
  cacheFamily(model: string): string;
}

export function keepingOf({ ruleOf, objectionTo }: CacheMeans, cacheIsOn: boolean): Keeping {
  return {
    cacheIsOn,
    objectionTo(call) {
      const { request } = call;
      if (request.$typeName !== "llmgateway.v1.ChatRequest") return "it is no chat";
      const rule = ruleOf(request);
      // The router has the word on why it refuses.
      if (!rule) return "";
      return rule.enabled ? objectionTo(call, request) : `it is off for ${rule.family}`;
    },
    // One that there is no more may have answers still.
    cacheFamily: (model) => ruleOf(create(ChatRequestSchema, { model }))?.family ?? model,
  };
}
