/** What a request will make a provider read and write, before it is sent. It knows no price and sends nothing. */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { ModelRequest } from "../core/call.ts";
import { nameOf } from "../core/target.ts";
import type { ModelPrice } from "./catalog.ts";
import type { Foreseen } from "./ceiling.ts";
import type { Estimate, EstimateTarget } from "./estimate.ts";
import { kindOf } from "./features.ts";
import type { Means } from "./means.ts";
import { type CacheTokens, NOTHING_CACHED } from "./prompt-caches.ts";

/** How much an attempt will read and write. */
export interface Demand extends Foreseen {
  /** As estimated. */
  readonly inputTokens: number;
  /** What the input does not exceed. */
  readonly maxInputTokens: number;
  /** How many answers are written: none for embeddings. */
  readonly answers: number;
  /** By what the lengths of such answers are remembered. */
  readonly answersLike: string;
  /** Tokens that an answer usually has: half of them have more. */
  readonly expectedTokens: number;
  /** Tokens that answers have on average, by which their cost is reckoned. */
  readonly meanTokens: number;
  /** Tokens that an answer seldom exceeds. */
  readonly likelyTokens: number;
  /** Tokens that no answer can exceed; undefined when there is no limit that is known. */
  readonly maxTokens: number | undefined;
  /** What of the input is likely to be read from prompt caches, or to be written there. */
  readonly cache: CacheTokens;
  /** Whether the caller set that limit, and so reckons with answers that long. */
  readonly asked: boolean;
  /** Whether all that is written is seen as it comes, so that nothing is thought unseen. */
  readonly visible: boolean;
  /** Whether the caller asked for thoughts, or may have. */
  readonly asksThoughts: boolean;
  readonly images: number;
}

export function demandOf(
  request: ModelRequest,
  target: EstimateTarget,
  model: ModelPrice | undefined,
  { inputTokens, maxInputTokens, features }: Estimate,
  { outputs, caches }: Pick<Means, "outputs" | "caches">,
): Demand {
  const input = { inputTokens, maxInputTokens, images: features.images.length };
  if (request.$typeName === "llmgateway.v1.EmbedRequest") return { ...input, ...NOTHING_WRITTEN };
  const { maxTokens: asked, choices = 1, serviceTier = "" } = request.parameters ?? {};
  const limit = model?.maxOutputTokens ?? model?.contextWindowTokens;
  const cacheWrites = cacheWritesOf(request, target);
  const answersLike = kindOf(features) + nameOf(target);
  const { expected, likely } = outputs.expect(answersLike, asked, limit);
  return {
    ...input,
    answers: choices,
    answersLike,
    expectedTokens: expected,
    meanTokens: outputs.mean(answersLike, least(asked, limit)),
    likelyTokens: likely,
    maxTokens: least(asked, limit),
    asked: asked !== undefined,
    visible: !thinksUnseen(model, features.thinking),
    asksThoughts: features.thinking || request.extraBody !== undefined,
    cacheWrites,
    cache: caches.expect(nameOf(target), cacheWrites, inputTokens),
    serviceTier: serviceTier || tierAdded(request),
    media: input.images > 0 || features.sound || MEDIA.test(target.model),
  };
}

const NOTHING_WRITTEN = {
  answers: 0,
  answersLike: "",
  expectedTokens: 0,
  meanTokens: 0,
  likelyTokens: 0,
  maxTokens: undefined,
  asked: true,
  visible: true,
  asksThoughts: false,
  cacheWrites: "none",
  cache: NOTHING_CACHED,
  media: false,
} as const;

/** One of which nothing is known may do what it is asked for. */
function thinksUnseen(model: ModelPrice | undefined, wished: boolean): boolean {
  return model?.capabilities?.reasoning ?? wished;
}

/** Models that speak or draw, by the words in their names. */
const MEDIA = /audio|image|realtime|live|tts/;

/** Who writes a tier into the body by hand may be served in any. */
function tierAdded({ extraBody }: ChatRequest): string {
  return extraBody && TIER_FIELDS.some((field) => Object.hasOwn(extraBody, field)) ? "auto" : "";
}

/** Bedrock's latency has a price of its own, as a tier has. */
const TIER_FIELDS = ["service_tier", "serviceTier", "performanceConfig"];

export function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** Anthropic's models write to the cache where they are told to, others as they please. */
function cacheWritesOf(
  { messages, tools, extraBody }: ChatRequest,
  { model }: EstimateTarget,
): Foreseen["cacheWrites"] {
  if (extraBody) return "1h";
  let writes: Foreseen["cacheWrites"] = model.includes("claude") ? "none" : "default";
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
