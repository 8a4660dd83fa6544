/** Receipts and errors as lines for people. */
import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { GatewayError } from "../typescript/src/node.ts";

/**
 * Such as `openai/gpt-4o · 9 in + 24 out tokens · $0.0002625 (measured) · request 1f…`, or
 * `openai/gpt-4o · cached (exact) · saved $0.0002625 · request 1f…`.
 */
export function describeReceipt({
  provider,
  model,
  requestId,
  cost,
  attempts,
  cached,
  cacheKind,
}: Pick<Receipt, "provider" | "model" | "requestId" | "cost" | "attempts" | "cached" | "cacheKind">): string {
  if (cached) {
    const saved = `saved ${dollars(cost?.savedUsd)}`;
    return `${provider}/${model} · cached (${cacheKind}) · ${saved} · request ${requestId}`;
  }
  const tokens = `${cost?.inputTokens ?? 0} in + ${cost?.outputTokens ?? 0} out tokens`;
  const isAssumed = attempts.some(({ priceAssumed }) => priceAssumed);
  const origin = `${cost?.provenance}${isAssumed ? ", price assumed" : ""}`;
  return `${provider}/${model} · ${tokens} · ${dollars(cost?.actualUsd)} (${origin}) · request ${requestId}`;
}

/** All digits that count, since a token costs so little. */
export function dollars(usd: number | undefined): string {
  if (usd === undefined) return "an unknown amount";
  return `$${usd.toFixed(12).replace(/(\.\d\d\d*?)0+$/, "$1")}`;
}

/** What failed, which fields are wrong, when to try again, and what was spent. */
export function describeError({
  kind,
  code,
  message,
  violations,
  retryAfterMs,
  receipt,
}: GatewayError): string {
  if (kind === "gateway_unreachable") return `error: ${message}; start one with: llmgateway serve`;
  const lines = [`error: ${message}`, `  code ${codeToString(code)}, kind ${kind}`];
  for (const { field, description } of violations) lines.push(`  ${field || "request"}: ${description}`);
  if (retryAfterMs !== undefined) lines.push(`  worth trying again in ${retryAfterMs / 1000} s`);
  if (receipt) lines.push(`  ${describeReceipt(receipt)}`);
  return lines.join("\n");
}
