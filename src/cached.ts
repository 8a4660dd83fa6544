/** What of the cache outlives a snapshot, and what operators ask of it beside calls. It does not judge what is kept. */
import { create } from "@bufbuild/protobuf";
import { ChatRequestSchema } from "../gen/ts/llmgateway/v1/chat_pb.ts";
import { type Desk, type Kept, openAnswers } from "./answers.ts";
import type { Figured } from "./cache/answers.ts";
import { Frequent } from "./cache/frequent.ts";
import type { Known } from "./cache/semantic/known.ts";
import { CacheStats } from "./cache/stats.ts";
import { boundsOf, memoryOf } from "./caching.ts";
import { openKnown } from "./comparing.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Call } from "./core/call.ts";
import type { KnownStore } from "./core/known-store.ts";
import type { CacheMeans } from "./layers/cache.ts";

export interface Cached extends Kept {
  /** What was asked in which words. */
  readonly known: Known;
  /** What of the answers is in this process. */
  readonly memory: Figured;
  /** What came of them. */
  readonly cacheStats: CacheStats;
  /** What was asked most. */
  readonly frequent: Frequent;
  /** Another configuration is in force: other bounds, and it may be on from now on. */
  replace(config: CompleteConfig): void;
}

export async function openCached(
  config: CompleteConfig,
  desk: Desk & { readonly store: KnownStore },
): Promise<Cached> {
  const { clock, signals, store } = desk;
  const memory = memoryOf(config, clock, signals.metrics);
  const kept = await openAnswers(memory, config, desk);
  // Outermost, so that what is cleared anywhere is cleared in what outlasts the process, too.
  const lasting = await openKnown(config, { answers: kept.answers, store, signals, clock });
  return {
    ...kept,
    ...lasting,
    memory,
    cacheStats: new CacheStats(clock),
    frequent: new Frequent(config.cache.rememberRequests),
    replace(next) {
      memory.rebound(boundsOf(next));
      lasting.known.bound(next.cache.semantic.maxEntries);
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

/** @param expand makes a call of its template */
export function keepingOf(
  { ruleOf, objectionTo }: CacheMeans,
  cacheIsOn: boolean,
  expand: (call: Call) => Call,
): Keeping {
  return {
    cacheIsOn,
    objectionTo(asked) {
      const call = expand(asked);
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
