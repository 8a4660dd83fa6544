/** Bedrock's usage figures in the normal form, from wherever in a reply they stand. */

import type { IncomingHttpHeaders } from "node:http";
import type { CacheDetail, TokenUsage } from "@aws-sdk/client-bedrock-runtime";
import type { Usage } from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { usage } from "../../core/usage.ts";
import { count } from "../values.ts";
import type { Received } from "./wire.ts";

/** What is not known is absent, so that figures can be laid over each other. */
export interface Figures {
  input?: number;
  output?: number;
  cacheRead?: number;
  cacheWrite?: number;
  cacheWrite1h?: number;
}

/** Converse's figures; Nova's own format names those of the cache in another way. */
export type WireUsage = Received<TokenUsage> & {
  readonly cacheReadInputTokenCount?: unknown;
  readonly cacheWriteInputTokenCount?: unknown;
};

export function converseFigures(wire: WireUsage): Figures {
  return figures({
    input: count(wire.inputTokens),
    output: count(wire.outputTokens),
    cacheRead: count(wire.cacheReadInputTokens) ?? count(wire.cacheReadInputTokenCount),
    cacheWrite: count(wire.cacheWriteInputTokens) ?? count(wire.cacheWriteInputTokenCount),
    cacheWrite1h: Array.isArray(wire.cacheDetails) ? keptForAnHour(wire.cacheDetails) : undefined,
  });
}

/** What stands in the headers of InvokeModel's replies. */
export function headerFigures(headers: IncomingHttpHeaders): Figures {
  const of = (kind: string) => {
    const header = headers[`x-amzn-bedrock-${kind}-token-count`];
    return typeof header === "string" && header !== "" ? count(Number(header)) : undefined;
  };
  return figures({
    input: of("input"),
    output: of("output"),
    cacheRead: of("cache-read-input"),
    cacheWrite: of("cache-write-input"),
  });
}

/** Of InvokeModel: the tier that is wanted, and in its reply the one that served. */
export const TIER_HEADER = "x-amzn-bedrock-service-tier";

export function headerTier(headers: IncomingHttpHeaders): string {
  return headers[TIER_HEADER]?.toString() ?? "";
}

/** What Bedrock adds to the last chunk of InvokeModel's streams. */
export interface InvocationMetrics {
  readonly inputTokenCount?: unknown;
  readonly outputTokenCount?: unknown;
  readonly cacheReadInputTokenCount?: unknown;
  readonly cacheWriteInputTokenCount?: unknown;
}

export function metricFigures(metrics: InvocationMetrics): Figures {
  return figures({
    input: count(metrics.inputTokenCount),
    output: count(metrics.outputTokenCount),
    cacheRead: count(metrics.cacheReadInputTokenCount),
    cacheWrite: count(metrics.cacheWriteInputTokenCount),
  });
}

/** Without what is undefined, which would hide what it is laid over. */
export function figures(of: { readonly [K in keyof Figures]?: number | undefined }): Figures {
  const known: Figures = {};
  for (const [name, value] of Object.entries(of) as [keyof Figures, number | undefined][])
    if (value !== undefined) known[name] = value;
  return known;
}

/** `inputTokens` leaves out what was read from and written to the cache. Undefined when nothing was counted. */
export function usageOf(known: Figures, serviceTier = ""): Usage | undefined {
  if (known.input === undefined && known.output === undefined) return undefined;
  const { input = 0, output = 0, cacheRead = 0, cacheWrite = 0 } = known;
  return usage("measured", {
    inputTokens: input + cacheRead + cacheWrite,
    outputTokens: output,
    cachedInputTokens: cacheRead,
    cacheWriteTokens: cacheWrite,
    cacheWrite1hTokens: known.cacheWrite1h,
    serviceTier,
  });
}

function keptForAnHour(details: readonly Received<CacheDetail>[]): number | undefined {
  return count(
    details.reduce((sum, detail) => sum + (detail?.ttl === "1h" ? Number(detail.inputTokens) : 0), 0),
  );
}
