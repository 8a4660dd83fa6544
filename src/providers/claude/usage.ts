/** Anthropic's usage figures in the normal form, out of the snapshots in which they come. */
import type { Usage as SdkUsage } from "@anthropic-ai/sdk/resources/messages";
import type { Usage } from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { type Provenance, usage } from "../../core/usage.ts";
import { count } from "../values.ts";

export type WireUsage = { readonly [Field in keyof SdkUsage]?: SdkUsage[Field] | null };

/** A later snapshot replaces what it names; what is absent, or null, has not changed. */
export function replaced(earlier: WireUsage, later: WireUsage): WireUsage {
  const named = Object.entries(later).filter(([, value]) => value !== null && value !== undefined);
  return { ...earlier, ...Object.fromEntries(named) };
}

/**
 * `input_tokens` leaves out what was read from the cache and written to it, so
 * that the three are added up.
 *
 * @returns undefined when there is no count in it
 */
export function decodeUsage(wire: WireUsage, provenance: Provenance): Usage | undefined {
  const input = count(wire.input_tokens);
  const output = count(wire.output_tokens);
  if (input === undefined && output === undefined) return undefined;
  const cachedInputTokens = count(wire.cache_read_input_tokens) ?? 0;
  const cacheWriteTokens = count(wire.cache_creation_input_tokens) ?? 0;
  const hour = count(wire.cache_creation?.ephemeral_1h_input_tokens);
  return usage(provenance, {
    inputTokens: (input ?? 0) + cachedInputTokens + cacheWriteTokens,
    outputTokens: output ?? 0,
    cachedInputTokens,
    cacheWriteTokens,
    cacheWrite1hTokens: hour === undefined ? undefined : Math.min(hour, cacheWriteTokens),
    reasoningTokens: count(wire.output_tokens_details?.thinking_tokens) ?? 0,
    serviceTier: typeof wire.service_tier === "string" ? wire.service_tier : "",
  });
}
