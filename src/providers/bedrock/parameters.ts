/** How the model writes, for Converse: what all models know, and what each vendor knows by a name of its own. */
import type { InferenceConfiguration, ServiceTierType } from "@aws-sdk/client-bedrock-runtime";
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Parameters } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { FALLBACK_MAX_TOKENS } from "../claude/encode.ts";
import { traitsOf } from "../claude/model.ts";
import { encodeThinking as encodeClaudeThinking } from "../claude/thinking.ts";
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

/** For the model as it is, and the effort that Converse tells the others. */
export interface Thinking {
  readonly additional: Additional;
  readonly effort: string;
}

export function encodeTopK({ topK }: Parameters, { vendor }: ModelName, wrong: Violation[]): Additional {
  if (topK === undefined) return {};
  const encode = TOP_K.get(vendor);
  if (encode) return encode(topK);
  unknown("top_k", wrong);
  return {};
}

/** Any effort: models learn new ones. */
export function encodeThinking(
  parameters: Parameters,
  model: ModelName,
  wish: Wish,
  wrong: Violation[],
): Thinking {
  const { reasoningBudgetTokens, reasoningEffort: effort } = parameters;
  if (model.vendor === "anthropic") return claudeThinking(parameters, model, wish, wrong);
  if (reasoningBudgetTokens !== undefined) unknown("reasoning_budget_tokens", wrong, "use reasoning_effort");
  if (effort && model.vendor === "amazon") {
    const type = effort === "none" ? { type: "disabled" } : { type: "enabled", maxReasoningEffort: effort };
    return { additional: { reasoningConfig: type }, effort: "" };
  }
  if (effort && model.vendor === "openai") return { additional: { reasoning_effort: effort }, effort: "" };
  return { additional: {}, effort };
}

function claudeThinking(
  parameters: Parameters,
  { name }: ModelName,
  wish: Wish,
  wrong: Violation[],
): Thinking {
  const limit = wish.maxTokens ?? parameters.maxTokens ?? wish.modelMaxTokens ?? FALLBACK_MAX_TOKENS;
  const { thinking, effort = "" } = encodeClaudeThinking(parameters, limit, traitsOf(name), wrong);
  return { additional: thinking ? { thinking } : {}, effort };
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
