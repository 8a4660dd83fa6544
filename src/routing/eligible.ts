/** Whether a target can serve a call at all, as far as that is known before it is asked. */
import type { Candidate } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Call, Target } from "../core/call.ts";
import { isDroppable } from "../core/droppable.ts";
import { unmetNeeds } from "../cost/capabilities.ts";
import type { ModelPrice } from "../cost/catalog.ts";
import { mostTokens } from "../cost/glance.ts";

/** What is known of models, by who serves them. */
export interface Models {
  /** Undefined when nothing is. */
  find(target: Target): ModelPrice | undefined;
  /** Whether what the model cannot do is left out where that is possible. */
  drops(provider: string): boolean;
  /** What else the provider may be asked for, by name, the likeliest first. */
  offered(provider: string): readonly (readonly [name: string, model: ModelPrice])[];
}

export interface EligibleMeans {
  readonly models: Models;
  /** Why a provider is not called at all; empty when it is. */
  off(provider: string): string;
  /** Tokens that the call would have this target read, as estimated. */
  inputTokens(call: Call, target: Target): number;
}

/** Why it cannot serve; undefined when nothing is known against it. */
export function objectionTo(target: Target, call: Call, means: EligibleMeans): string | undefined {
  const reason = means.off(target.provider);
  if (reason) return `${target.provider} is off: ${reason}`;
  const model = means.models.find(target);
  if (!model) return undefined;
  // A run of a job is given the whole answer at once where there is no stream.
  const wantsStream = call.streaming && call.context.protocol !== "job";
  const unmet = unmetNeeds(call.request, wantsStream, model);
  if (unmet.length > 0) {
    const drops = means.models.drops(target.provider);
    const held = unmet.find(({ field }) => !drops || !isDroppable(field));
    if (held) return `${held.field}: it ${held.lack}`;
  }
  return excess(target, call, model, means);
}

/** Whether the conversation is too long for the model, as far as that can be told without the model. */
export function isTooLong(target: Target, call: Call, means: EligibleMeans): boolean {
  const model = means.models.find(target);
  return model !== undefined && excess(target, call, model, means) !== undefined;
}

function excess(target: Target, call: Call, model: ModelPrice, means: EligibleMeans): string | undefined {
  const window = model.contextWindowTokens;
  if (window === undefined || mostTokens(call.request) <= window) return undefined;
  const tokens = means.inputTokens(call, target);
  return tokens > window ? `the conversation has about ${tokens} tokens, and it takes ${window}` : undefined;
}

export function candidateOf(
  { provider, model }: Target,
  reason: string,
  fields: Omit<Partial<Candidate>, "$typeName" | "provider" | "model" | "reason"> = ELIGIBLE,
): Candidate {
  return { $typeName: "llmgateway.v1.Candidate", provider, model, eligible: true, reason, ...fields };
}

const ELIGIBLE = {};
