/** What the configuration says of answers to requests in other words, as their layer asks for it. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ChatRequest } from "../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Answers } from "./cache/answers.ts";
import type { Known } from "./cache/semantic/known.ts";
import { LEXICAL } from "./config/cache.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Target } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import { splitName } from "./core/target.ts";
import type { FamilyRule } from "./layers/cache.ts";
import type { SemanticMeans } from "./layers/semantic.ts";

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
    clock: means.clock,
  };
}
