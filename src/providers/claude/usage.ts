/** Anthropic's usage figures in the normal form, out of the snapshots in which they come. */
import type { BetaUsage } from "@anthropic-ai/sdk/resources/beta/messages";
import type { Usage } from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { type Provenance, usage } from "../../core/usage.ts";
import { isObject } from "../malformed.ts";
import { count } from "../values.ts";

/** The beta's has all that the other one has. */
export type WireUsage = { readonly [Field in keyof BetaUsage]?: BetaUsage[Field] | null };

/** A later snapshot replaces what it names; what is absent, or null, has not changed. */
export function replaced(earlier: WireUsage, later: WireUsage): WireUsage {
  const named = Object.entries(later).filter(([, value]) => value !== null && value !== undefined);
  return { ...earlier, ...Object.fromEntries(named) };
}

/**
 * `input_tokens` leaves out what was read from the cache and written to it, so
 * that the three are added up. All of them leave out what it took to sum up a
 * conversation that had become too long, which is charged as the answer is:
 * https://platform.claude.com/docs/en/build-with-claude/compaction
 *
 * @returns undefined when there is no count in it
 */
export function decodeUsage(wire: WireUsage, provenance: Provenance): Usage | undefined {
  if (count(wire.input_tokens) === undefined && count(wire.output_tokens) === undefined) return undefined;
  const requests = [wire, ...compactionsIn(wire.iterations)];
  const cachedInputTokens = total(requests, ({ cache_read_input_tokens }) => cache_read_input_tokens) ?? 0;
  const cacheWriteTokens =
    total(requests, ({ cache_creation_input_tokens }) => cache_creation_input_tokens) ?? 0;
  const hour = total(requests, ({ cache_creation }) => cache_creation?.ephemeral_1h_input_tokens);
  const uncached = total(requests, ({ input_tokens }) => input_tokens) ?? 0;
  return usage(provenance, {
    inputTokens: uncached + cachedInputTokens + cacheWriteTokens,
    outputTokens: total(requests, ({ output_tokens }) => output_tokens) ?? 0,
    cachedInputTokens,
    cacheWriteTokens,
    cacheWrite1hTokens: hour === undefined ? undefined : Math.min(hour, cacheWriteTokens),
    reasoningTokens: count(wire.output_tokens_details?.thinking_tokens) ?? 0,
    serviceTier: typeof wire.service_tier === "string" ? wire.service_tier : "",
  });
}

function compactionsIn(iterations: unknown): WireUsage[] {
  if (!Array.isArray(iterations)) return [];
  return iterations.filter((one: unknown) => isObject(one) && "type" in one && one.type === "compaction");
}

/** Undefined where none of them tells it. */
function total(requests: readonly WireUsage[], of: (one: WireUsage) => unknown): number | undefined {
  let sum: number | undefined;
  for (const request of requests) {
    const tokens = count(of(request));
    if (tokens !== undefined) sum = (sum ?? 0) + tokens;
  }
  return sum;
}
