/** How the model writes, by the names that OpenAI gave it and others took over. */
import type { Parameters } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";

/** Null is in the types of all bodies, and never written. */
interface Sampling {
  temperature?: number | null | undefined;
  top_p?: number | null | undefined;
  stop?: string | string[] | null | undefined;
  presence_penalty?: number | null | undefined;
  frequency_penalty?: number | null | undefined;
  n?: number | null | undefined;
  reasoning_effort?: string | null | undefined;
  parallel_tool_calls?: boolean | undefined;
}

/** What no dialect of this family knows is a violation; seed and tier are each one's own affair. */
export function encodeSampling(parameters: Parameters, body: Sampling, wrong: Violation[]): void {
  const { temperature, topP, stop, presencePenalty, frequencyPenalty, choices } = parameters;
  if (temperature !== undefined) body.temperature = temperature;
  if (topP !== undefined) body.top_p = topP;
  if (stop.length > 0) body.stop = stop;
  if (presencePenalty !== undefined) body.presence_penalty = presencePenalty;
  if (frequencyPenalty !== undefined) body.frequency_penalty = frequencyPenalty;
  if (choices !== undefined) body.n = choices;
  // Any string: models learn new ones.
  if (parameters.reasoningEffort) body.reasoning_effort = parameters.reasoningEffort;
  if (parameters.parallelToolCalls !== undefined) body.parallel_tool_calls = parameters.parallelToolCalls;
  if (parameters.topK !== undefined) refuseUnknown("top_k", wrong);
  if (parameters.reasoningBudgetTokens !== undefined) refuseUnknown("reasoning_budget_tokens", wrong);
}

export function refuseUnknown(name: string, wrong: Violation[]): void {
  wrong.push({ field: `parameters.${name}`, description: "is not known to this provider; leave it out" });
}

export function encodeSeed(seed: bigint, wrong: Violation[]): number {
  const number = Number(seed);
  if (!Number.isSafeInteger(number)) {
    wrong.push({
      field: "parameters.seed",
      description: "must lie within ±(2^53 - 1), which JSON numbers can hold",
    });
  }
  return number;
}
