/** How hard the model shall think: an effort where it decides by itself, a budget of tokens where it does not. */
import type { OutputConfig, ThinkingConfigParam } from "@anthropic-ai/sdk/resources/messages";
import type { Parameters } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import type { ModelTraits } from "./model.ts";

export interface Thinking {
  /** Undefined when the request leaves it to the model. */
  readonly thinking?: ThinkingConfigParam;
  readonly effort?: NonNullable<OutputConfig["effort"]>;
}

const EFFORT = "parameters.reasoning_effort";
const BUDGET = "parameters.reasoning_budget_tokens";
const LEAST_BUDGET = 1024;
/** Beyond it Anthropic advises batches, for calls that take so long break. */
const LARGEST_BUDGET = 32_000;

/** What an effort is of the answer, where the model counts tokens. */
const SHARES: ReadonlyMap<string, number> = new Map([
  ["minimal", 0],
  ["low", 0.2],
  ["medium", 0.5],
  ["high", 0.8],
]);

/** @param maxTokens thoughts and answer together */
export function encodeThinking(
  parameters: Parameters,
  maxTokens: number,
  model: ModelTraits,
  wrong: Violation[],
): Thinking {
  const { reasoningEffort: effort, reasoningBudgetTokens: budget } = parameters;
  if (!effort && budget === undefined) return {};
  if (effort && budget !== undefined) {
    refuse(BUDGET, "stands beside reasoning_effort, which says the same: leave one of them out", wrong);
    return {};
  }
  const none = effort === "none" || budget === 0;
  if (!model.thinks) {
    if (!none) refuse(effort ? EFFORT : BUDGET, "this model does not think; leave it out", wrong);
    return {};
  }
  if (none) return { thinking: { type: "disabled" } };
  if (budget !== undefined) return byBudget(parameters, budget, maxTokens, model, wrong);
  return model.adaptive ? byEffort(effort, wrong) : byShare(effort, maxTokens, wrong);
}

/** Any other effort goes as it is: models learn new ones. */
function byEffort(effort: string, wrong: Violation[]): Thinking {
  if (effort === "minimal") refuse(EFFORT, "must be none, low, medium, high, xhigh or max", wrong);
  return { thinking: { type: "adaptive" }, effort: effort as NonNullable<Thinking["effort"]> };
}

function byShare(effort: string, maxTokens: number, wrong: Violation[]): Thinking {
  const share = SHARES.get(effort);
  if (share === undefined) refuse(EFFORT, "must be none, minimal, low, medium or high for this model", wrong);
  const budget = Math.min(Math.max(Math.floor(maxTokens * (share ?? 0)), LEAST_BUDGET), LARGEST_BUDGET);
  return enabled(EFFORT, budget, maxTokens, wrong);
}

function byBudget(
  { maxTokens: asked }: Parameters,
  budget: number,
  maxTokens: number,
  model: ModelTraits,
  wrong: Violation[],
): Thinking {
  if (!model.budget) refuse(BUDGET, "this model decides by itself: set reasoning_effort instead", wrong);
  else if (budget < LEAST_BUDGET) refuse(BUDGET, `must be 0 or at least ${LEAST_BUDGET}`, wrong);
  else if (asked !== undefined && budget >= asked) refuse(BUDGET, "must be less than max_tokens", wrong);
  else return enabled(BUDGET, budget, maxTokens, wrong);
  return {};
}

/** The gateway may have lowered what the answer may have, so that there is less to think with. */
function enabled(field: string, budget: number, maxTokens: number, wrong: Violation[]): Thinking {
  if (maxTokens <= LEAST_BUDGET) {
    const room = `the answer may have only ${maxTokens} tokens, of which thinking takes ${LEAST_BUDGET} at least`;
    refuse(field, `${room}: allow more, or leave it out`, wrong);
  }
  return { thinking: { type: "enabled", budget_tokens: Math.min(budget, maxTokens - 1) } };
}

function refuse(field: string, description: string, wrong: Violation[]): void {
  wrong.push({ field, description });
}
