/** What the configuration says of answers to requests in other words, as their layer asks for it. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ChatRequest } from "../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Answers } from "./cache/answers.ts";
import type { Known } from "./cache/semantic/known.ts";
import { LEXICAL } from "./config/cache.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Clock } from "./core/clock.ts";
import { splitName } from "./core/target.ts";
import type { SemanticMeans } from "./layers/semantic.ts";

export interface ComparingMeans {
  readonly known: Known;
  readonly answers: Answers;
  /** Of which model or alias an answer to the request is. */
  familyOf(request: ChatRequest): string;
  readonly clock: Clock;
}

/** @returns undefined where nothing is compared */
export function comparingOf({ cache }: CompleteConfig, means: ComparingMeans): SemanticMeans | undefined {
  const { mode, embedder, threshold, timeout, maxTextLength } = cache.semantic;
  if (!cache.enabled || mode === "off") return undefined;
  const thresholds = new Map(
    Object.entries(cache.families).map(([family, { semanticThreshold }]) => [family, semanticThreshold]),
  );
  return {
    serves: mode === "serve",
    known: means.known,
    answers: means.answers,
    ruleOf: (request) => {
      const family = means.familyOf(request);
      return { family, threshold: thresholds.get(family) ?? threshold };
    },
    embedder: embedder === LEXICAL ? undefined : splitName(embedder),
    timeoutMs: durationMs(timeout),
    maxTextLength,
    clock: means.clock,
  };
}
