/** Receipts and errors as lines for people. */
import { Code, type ConnectError } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/ts/google/rpc/error_details_pb.ts";
import { type Receipt, ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";

/** Such as `openai/gpt-4o · 9 in + 24 out tokens · $0.0002625 (measured) · request 1f…`. */
export function describeReceipt({
  provider,
  model,
  requestId,
  cost,
}: Pick<Receipt, "provider" | "model" | "requestId" | "cost">): string {
  const tokens = `${cost?.inputTokens ?? 0} in + ${cost?.outputTokens ?? 0} out tokens`;
  return `${provider}/${model} · ${tokens} · ${dollars(cost?.actualUsd)} (${cost?.provenance}) · request ${requestId}`;
}

/** All digits that count, since a token costs so little. */
export function dollars(usd: number | undefined): string {
  if (usd === undefined) return "an unknown amount";
  return `$${usd.toFixed(12).replace(/(\.\d\d\d*?)0+$/, "$1")}`;
}

/** What failed, which fields are wrong, when to try again, and what was spent. */
export function describeError(error: ConnectError, url: string): string {
  const [info] = error.findDetails(ErrorInfoSchema);
  if (!info && error.code === Code.Unavailable) {
    return `error: no gateway answers at ${url} (${error.rawMessage}); start one with: llmgateway serve`;
  }
  const lines = [`error: ${error.rawMessage}`];
  // Without a kind it is not the gateway that speaks: the request did not get there.
  if (info) lines.push(`  code ${codeToString(error.code)}, kind ${info.reason}`);
  for (const { fieldViolations } of error.findDetails(BadRequestSchema)) {
    for (const { field, description } of fieldViolations)
      lines.push(`  ${field || "request"}: ${description}`);
  }
  for (const { retryDelay } of error.findDetails(RetryInfoSchema)) {
    lines.push(
      `  worth trying again in ${Number(retryDelay?.seconds ?? 0) + (retryDelay?.nanos ?? 0) / 1e9} s`,
    );
  }
  for (const receipt of error.findDetails(ReceiptSchema)) lines.push(`  ${describeReceipt(receipt)}`);
  return lines.join("\n");
}
