/** What of the cache outlives a snapshot, and what operators ask of it beside calls. It does not judge what is kept. */
import { create } from "@bufbuild/protobuf";
import { ChatRequestSchema } from "../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Answers, Figured } from "./cache/answers.ts";
import { Frequent } from "./cache/frequent.ts";
import { CacheStats } from "./cache/stats.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Call } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import type { CacheMeans } from "./layers/cache.ts";

export interface Cached<Memory = Figured> {
  readonly answers: Answers;
  /** What of them is in this process. */
  readonly memory: Memory;
  /** What came of them. */
  readonly cacheStats: CacheStats;
  /** What was asked most. */
  readonly frequent: Frequent;
}

/** @param answers where they are kept, unless that is the memory alone */
export function cachedOf<Memory extends Answers & Figured>(
  { cache }: CompleteConfig,
  clock: Clock,
  memory: Memory,
  answers: Answers = memory,
): Cached<Memory> {
  return {
    answers,
    memory,
    cacheStats: new CacheStats(clock),
    frequent: new Frequent(cache.rememberRequests),
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
