/** Google's usage figures in the normal form, and nothing that is not a figure. */
import type { Usage } from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { usage } from "../../core/usage.ts";
import { count } from "../values.ts";
import type { UsageMetadata } from "./api.ts";

const COUNTS = [
  "promptTokenCount",
  "cachedContentTokenCount",
  "toolUsePromptTokenCount",
  "candidatesTokenCount",
  "thoughtsTokenCount",
  "totalTokenCount",
] as const;

/**
 * Each snapshot replaces the one before, field by field: later ones may lack what an earlier one had. What is null
 * there, or no count, is lacking too.
 */
export function mergeUsage(known: UsageMetadata | undefined, later: UsageMetadata): UsageMetadata {
  if (!known) return later;
  const merged = { ...known, ...later };
  for (const name of COUNTS) {
    const before = known[name];
    if (before !== undefined && count(later[name]) === undefined) merged[name] = before;
  }
  return merged;
}

/**
 * `promptTokenCount` includes what was cached. What the provider's own tools
 * answered is counted apart and billed as input, and so are thoughts as output:
 * https://ai.google.dev/gemini-api/docs/code-execution#billing
 * https://ai.google.dev/gemini-api/docs/thinking#pricing
 *
 * The total is documented as the sum of these four. Where it is another, the
 * parts are believed, since they are what has a price; it only stands in for
 * `candidatesTokenCount`, which is left out of some replies.
 *
 * @returns undefined when there is no count in it
 */
export function decodeUsage(wire: UsageMetadata, servedTier: string | undefined): Usage | undefined {
  const prompt = count(wire.promptTokenCount);
  const total = count(wire.totalTokenCount);
  const toolUse = count(wire.toolUsePromptTokenCount);
  const thoughts = count(wire.thoughtsTokenCount);
  const candidates = count(wire.candidatesTokenCount);
  if (prompt === undefined && total === undefined && candidates === undefined) return undefined;
  const inputTokens = (prompt ?? 0) + (toolUse ?? 0);
  const reasoningTokens = thoughts ?? 0;
  const said = candidates ?? Math.max(0, (total ?? 0) - inputTokens - reasoningTokens);
  return usage("measured", {
    inputTokens,
    outputTokens: said + reasoningTokens,
    cachedInputTokens: count(wire.cachedContentTokenCount) ?? 0,
    reasoningTokens,
    toolUseInputTokens: toolUse,
    audioInputTokens: freshOfModality(wire, "AUDIO", 4),
    imageInputTokens: freshOfModality(wire, "IMAGE", 2),
    audioOutputTokens: ofModality(wire.candidatesTokensDetails, "AUDIO", 4),
    imageOutputTokens: ofModality(wire.candidatesTokensDetails, "IMAGE", 2),
    serviceTier: tierOf(wire) || (servedTier ?? ""),
  });
}

/** Sound and pictures out of the cache are cached input like any other: what is fresh beside them is text. */
function freshOfModality(wire: UsageMetadata, name: string, number: number): number | undefined {
  const read = ofModality(wire.promptTokensDetails, name, number);
  const cached = ofModality(wire.cacheTokensDetails, name, number) ?? 0;
  return read === undefined ? undefined : Math.max(0, read - cached);
}

/** The enum's name, or its number. */
function ofModality(details: unknown, name: string, number: number): number | undefined {
  if (!Array.isArray(details)) return undefined;
  let sum: number | undefined;
  for (const detail of details) {
    const { modality, tokenCount }: { modality?: unknown; tokenCount?: unknown } = detail ?? {};
    const tokens = count(tokenCount);
    if ((modality === name || modality === number) && tokens !== undefined) sum = (sum ?? 0) + tokens;
  }
  return sum;
}

/** Vertex AI's types of traffic, by the names that Gemini has for the same. */
const TIERS: ReadonlyMap<unknown, string> = new Map([
  ["ON_DEMAND", "standard"],
  ["ON_DEMAND_PRIORITY", "priority"],
  ["ON_DEMAND_FLEX", "flex"],
]);

function tierOf({ serviceTier, trafficType }: UsageMetadata): string {
  if (typeof serviceTier === "string") return serviceTier;
  if (typeof trafficType !== "string") return "";
  return TIERS.get(trafficType) ?? trafficType.toLowerCase();
}
