/** Usage in its normal form: input includes what was cached, output includes what was thought. */
import type { Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { MAX_INT32 } from "./int32.ts";

/** Where a figure comes from. Anything but `measured` says so wherever it appears. */
export type Provenance = "measured" | "estimated" | "unknown";

export type UsageFields = Partial<Omit<Usage, "$typeName" | "provenance" | "totalTokens">>;

/**
 * The total is the sum of input and output, whatever the provider calls its total. What no message can hold would keep a
 * whole reply from being told.
 */
export function usage(provenance: Provenance, fields: UsageFields = {}): Usage {
  const inputTokens = Math.min(fields.inputTokens ?? 0, MAX_INT32);
  const outputTokens = Math.min(fields.outputTokens ?? 0, MAX_INT32);
  return {
    $typeName: "llmgateway.v1.Usage",
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    serviceTier: "",
    ...fields,
    inputTokens,
    outputTokens,
    totalTokens: Math.min(inputTokens + outputTokens, MAX_INT32),
    provenance,
  };
}

/** What several requests used together; measured when each of them was. */
export function sumOf(usages: readonly Usage[]): Usage {
  const total = (count: "inputTokens" | "outputTokens" | "cachedInputTokens") =>
    usages.reduce((sum, one) => sum + one[count], 0);
  return usage(usages.every(({ provenance }) => provenance === "measured") ? "measured" : "estimated", {
    inputTokens: total("inputTokens"),
    outputTokens: total("outputTokens"),
    cachedInputTokens: total("cachedInputTokens"),
  });
}
