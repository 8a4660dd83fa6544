/** What a request will make a provider read and write, before it is sent. It knows no price and sends nothing. */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { ModelRequest, Target } from "../core/call.ts";
import type { ModelPrice } from "./catalog.ts";
import type { Estimator } from "./estimate.ts";
import type { CacheWrites, Demand } from "./quote.ts";

/** @param counted the input's tokens, where they were counted and not estimated */
export function demandOf(
  request: ModelRequest,
  target: Target,
  model: ModelPrice | undefined,
  estimator: Estimator,
  counted?: number,
): Demand {
  const { inputTokens, maxInputTokens } =
    counted === undefined
      ? estimator.estimate(request, target)
      : { inputTokens: counted, maxInputTokens: counted };
  if (request.$typeName === "llmgateway.v1.EmbedRequest") {
    const nothing = { answers: 0, expectedTokens: 0, likelyTokens: 0, maxTokens: 0, asked: true };
    return { ...nothing, inputTokens, maxInputTokens, cacheWrites: "none", serviceTier: "" };
  }
  const { maxTokens: asked, choices = 1, serviceTier = "" } = request.parameters ?? {};
  const limit = model?.maxOutputTokens ?? model?.contextWindowTokens;
  const maxTokens = least(asked, limit);
  const { expected, likely } = estimator.expectedOutput(target, asked, limit);
  return {
    inputTokens,
    maxInputTokens,
    answers: choices,
    expectedTokens: expected,
    likelyTokens: likely,
    maxTokens,
    asked: asked !== undefined,
    cacheWrites: cacheWritesOf(request, target),
    serviceTier,
  };
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** Anthropic's models write to the cache where they are told to, others as they please. */
function cacheWritesOf({ messages, tools, extraBody }: ChatRequest, { model }: Target): CacheWrites {
  if (extraBody) return "1h";
  let writes: CacheWrites = model.includes("claude") ? "none" : "default";
  const mark = (cache: { ttl: string } | undefined) => {
    if (cache && writes !== "1h") writes = cache.ttl === "1h" ? "1h" : "default";
  };
  for (const { cache, parts } of messages) {
    mark(cache);
    for (const part of parts) mark(part.cache);
  }
  for (const { cache } of tools) mark(cache);
  return writes;
}
