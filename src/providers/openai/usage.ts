/** OpenAI's usage figures in the normal form, and nothing that is not a figure. */
import type { CompletionUsage } from "openai/resources/completions";
import type { Usage } from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { usage } from "../../core/usage.ts";
import { count } from "../values.ts";

type WireUsage = Partial<CompletionUsage> & {
  /** DeepSeek's cached tokens: https://api-docs.deepseek.com/guides/kv_cache */
  readonly prompt_cache_hit_tokens?: number;
  /** Mistral's, by two names more; its SDK's `UsageInfo` knows all three. */
  readonly num_cached_tokens?: number;
  readonly prompt_token_details?: { readonly cached_tokens?: number } | null;
  /** Mistral's tier stands beside its figures. */
  readonly service_tier?: unknown;
};

/**
 * `prompt_tokens` includes what was cached and `completion_tokens` what was
 * thought, so that the figures are taken as they are. But xAI leaves thoughts
 * out of `completion_tokens`, and its total is then the sum of all three:
 * https://docs.x.ai/docs/key-information/consumption-and-rate-limits
 *
 * @returns undefined when there is no count in it
 */
export function decodeUsage(wire: WireUsage, serviceTier: unknown): Usage | undefined {
  const input = count(wire.prompt_tokens);
  const output = count(wire.completion_tokens);
  if (input === undefined && output === undefined) return undefined;
  const read = wire.prompt_tokens_details ?? {};
  const written = wire.completion_tokens_details ?? {};
  const inputTokens = input ?? 0;
  const said = output ?? 0;
  const reasoningTokens = count(written.reasoning_tokens) ?? 0;
  const thoughtsApart = reasoningTokens > 0 && wire.total_tokens === inputTokens + said + reasoningTokens;
  return usage("measured", {
    inputTokens,
    outputTokens: thoughtsApart ? said + reasoningTokens : said,
    cachedInputTokens: cachedIn(wire) ?? 0,
    cacheWriteTokens: count(read.cache_write_tokens) ?? 0,
    reasoningTokens,
    audioInputTokens: count(read.audio_tokens),
    audioOutputTokens: count(written.audio_tokens),
    serviceTier: [serviceTier, wire.service_tier].find((tier) => typeof tier === "string") ?? "",
  });
}

/** Null counts as absent. */
function cachedIn(wire: WireUsage): number | undefined {
  return (
    count(wire.prompt_tokens_details?.cached_tokens) ??
    count(wire.prompt_token_details?.cached_tokens) ??
    count(wire.num_cached_tokens) ??
    count(wire.prompt_cache_hit_tokens)
  );
}
