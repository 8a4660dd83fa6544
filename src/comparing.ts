/** What the configuration says of answers to requests in other words, as their layer asks for it. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ChatRequest } from "../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Answers } from "./cache/answers.ts";
import { hnswGraphs } from "./cache/semantic/hnsw.ts";
import { Known } from "./cache/semantic/known.ts";
import { Lasting } from "./cache/semantic/lasting.ts";
import { entrySize } from "./cache/size.ts";
import { LEXICAL } from "./config/cache.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Target } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import type { KnownStore } from "./core/known-store.ts";
import { splitName } from "./core/target.ts";
import type { FamilyRule } from "./layers/cache.ts";
import type { Signals } from "./layers/record.ts";
import type { SemanticMeans } from "./layers/semantic.ts";

export interface KnownMeans {
  readonly answers: Answers;
  readonly store: KnownStore;
  readonly signals: Signals;
  readonly clock: Clock;
}

/** What outlives a configuration: the requests that are known, and the answers, of which those to them outlast the process. */
export async function openKnown(
  { cache: { semantic } }: CompleteConfig,
  { answers: kept, store, signals, clock }: KnownMeans,
) {
  const graphs = hnswGraphs();
  if (!graphs && semantic.mode !== "off")
    signals.logger.warn("usearch has no build for this platform: requests are compared one by one");
  const known = new Known(semantic.maxEntries, graphs);
  const answers = new Lasting(kept, {
    known,
    store,
    now: () => clock.now(),
    onError: (error) => signals.logger.error({ err: error }, "the database of known requests did not answer"),
    sizeOf: entrySize,
  });
  if (semantic.mode !== "off") await answers.load();
  return { known, answers };
}

export interface ComparingMeans {
  readonly known: Known;
  readonly answers: Answers;
  /** What holds for the request; undefined for one that the router refuses. */
  ruleOf(request: ChatRequest): FamilyRule | undefined;
  /** The name under which all names of one model are one. */
  familyOf(target: Target): string;
  readonly clock: Clock;
}

/** @returns undefined where nothing is compared */
export function comparingOf(
  { cache, aliases }: CompleteConfig,
  means: ComparingMeans,
): SemanticMeans | undefined {
  const { mode, embedder, threshold, timeout, maxTextLength } = cache.semantic;
  if (mode === "off") return undefined;
  const thresholds = new Map(
    Object.entries(cache.families).map(([name, { semanticThreshold }]) => [
      Object.hasOwn(aliases, name) ? name : means.familyOf(splitName(name)),
      semanticThreshold,
    ]),
  );
  return {
    serves: mode === "serve",
    known: means.known,
    answers: means.answers,
    ruleOf: (request) => {
      const rule = means.ruleOf(request);
      return rule && { identity: rule.identity, threshold: thresholds.get(rule.family) ?? threshold };
    },
    embedder: embedder === LEXICAL ? undefined : splitName(embedder),
    timeoutMs: durationMs(timeout),
    maxTextLength,
    paced: cache.replay === "paced",
    clock: means.clock,
  };
}
