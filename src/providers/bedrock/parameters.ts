/** How the model writes, for Converse: what all models know, and what each vendor knows by a name of its own. */
import type { InferenceConfiguration, ServiceTierType } from "@aws-sdk/client-bedrock-runtime";
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Parameters } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import type { Wish } from "../dialect.ts";
import type { ModelName } from "./model.ts";

export function encodeInference({ parameters }: ChatRequest, { maxTokens }: Wish): InferenceConfiguration {
  const config: InferenceConfiguration = {};
  const limit = maxTokens ?? parameters?.maxTokens;
  if (limit !== undefined) config.maxTokens = limit;
  if (parameters?.temperature !== undefined) config.temperature = parameters.temperature;
  if (parameters?.topP !== undefined) config.topP = parameters.topP;
  if (parameters && parameters.stop.length > 0) config.stopSequences = parameters.stop;
  return config;
}

/** What Converse hands on to the model as it is. */
export type Additional = Record<string, unknown>;

const TOP_K: ReadonlyMap<string, (topK: number) => Additional> = new Map<
  string,
  (topK: number) => Additional
>([
  ["anthropic", (top_k) => ({ top_k })],
  ["mistral", (top_k) => ({ top_k })],
  ["qwen", (top_k) => ({ top_k })],
  ["cohere", (k) => ({ k })],
  ["amazon", (topK) => ({ inferenceConfig: { topK } })],
]);

export function encodeAdditional(
  parameters: Parameters,
  { vendor }: ModelName,
  wrong: Violation[],
): Additional {
  const { topK, reasoningBudgetTokens, reasoningEffort } = parameters;
  const additional: Additional = {};
  if (topK !== undefined) {
    const encode = TOP_K.get(vendor);
    if (encode) Object.assign(additional, encode(topK));
    else unknown("top_k", wrong);
  }
  if (reasoningBudgetTokens !== undefined) {
    if (vendor !== "anthropic") unknown("reasoning_budget_tokens", wrong, "use reasoning_effort");
    additional.thinking =
      reasoningBudgetTokens > 0
        ? { type: "enabled", budget_tokens: reasoningBudgetTokens }
        : { type: "disabled" };
  }
  if (reasoningEffort && vendor === "amazon")
    additional.reasoningConfig =
      reasoningEffort === "none"
        ? { type: "disabled" }
        : { type: "enabled", maxReasoningEffort: reasoningEffort };
  if (reasoningEffort && vendor === "openai") additional.reasoning_effort = reasoningEffort;
  return additional;
}

/** For the vendors that Converse itself tells how hard to think. Any string: models learn new ones. */
export function outputEffort({ reasoningEffort }: Parameters, { vendor }: ModelName): string {
  return vendor === "amazon" || vendor === "openai" ? "" : reasoningEffort;
}

/** Empty for what Bedrock would choose. */
export function serviceTierOf({ serviceTier }: Parameters): ServiceTierType | "" {
  return serviceTier === "auto" ? "" : (serviceTier as ServiceTierType | "");
}

export function refuseUnknown(parameters: Parameters, wrong: Violation[]): void {
  if (parameters.seed !== undefined) unknown("seed", wrong);
  if (parameters.presencePenalty !== undefined) unknown("presence_penalty", wrong);
  if (parameters.frequencyPenalty !== undefined) unknown("frequency_penalty", wrong);
  if ((parameters.choices ?? 1) > 1) unknown("choices", wrong, "ask several times");
  if (parameters.parallelToolCalls === false) unknown("parallel_tool_calls", wrong);
}

function unknown(name: string, wrong: Violation[], instead = "leave it out"): void {
  wrong.push({ field: `parameters.${name}`, description: `is not known to this provider; ${instead}` });
}
