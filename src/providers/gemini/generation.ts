/** How the model writes, for Google's `generationConfig`. */
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Parameters, ResponseFormat } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import type { Wish } from "../dialect.ts";
import { rawSchema } from "../raw_json.ts";
import type { GenerationConfig, ThinkingConfig } from "./api.ts";
import { isGemini3 } from "./model.ts";

const MAX_STOPS = 5;
const MAX_INT32 = 2 ** 31;

/** The fields as JSON text, by their names. */
export function encodeGeneration(request: ChatRequest, wish: Wish, wrong: Violation[]): Map<string, string> {
  const config: GenerationConfig = {};
  const maxTokens = wish.maxTokens ?? request.parameters?.maxTokens;
  if (maxTokens !== undefined) config.maxOutputTokens = maxTokens;
  if (request.parameters) encodeParameters(request.parameters, wish.model, config, wrong);
  if (request.responseFormat && request.responseFormat.type !== "text") {
    config.responseMimeType = "application/json";
  }
  const fields = new Map(Object.entries(config).map(([name, value]) => [name, JSON.stringify(value)]));
  const schema = request.responseFormat && schemaOf(request.responseFormat, wrong);
  if (schema) fields.set("responseJsonSchema", schema);
  return fields;
}

function encodeParameters(
  parameters: Parameters,
  model: string,
  config: GenerationConfig,
  wrong: Violation[],
): void {
  const { temperature, topP, topK, stop, seed, presencePenalty, frequencyPenalty, choices } = parameters;
  if (temperature !== undefined) config.temperature = temperature;
  if (topP !== undefined) config.topP = topP;
  if (topK !== undefined) config.topK = topK;
  if (stop.length > MAX_STOPS) {
    wrong.push({
      field: "parameters.stop",
      description: `must have at most ${MAX_STOPS} texts for this provider`,
    });
  }
  if (stop.length > 0) config.stopSequences = stop;
  if (seed !== undefined) config.seed = encodeSeed(seed, wrong);
  if (presencePenalty !== undefined) config.presencePenalty = presencePenalty;
  if (frequencyPenalty !== undefined) config.frequencyPenalty = frequencyPenalty;
  if (choices !== undefined) config.candidateCount = choices;
  const thinking = encodeThinking(parameters, model, wrong);
  if (thinking) config.thinkingConfig = thinking;
  if (parameters.parallelToolCalls === false) {
    const description = "this provider always may call several tools at once; leave it out";
    wrong.push({ field: "parameters.parallel_tool_calls", description });
  }
}

function encodeSeed(seed: bigint, wrong: Violation[]): number {
  const number = Number(seed);
  if (number < -MAX_INT32 || number >= MAX_INT32) {
    wrong.push({ field: "parameters.seed", description: "must be a 32-bit number for this provider" });
  }
  return number;
}

/**
 * How much each effort is for models that have no levels:
 * https://ai.google.dev/gemini-api/docs/openai#thinking
 */
const BUDGETS: ReadonlyMap<string, number> = new Map([
  ["none", 0],
  ["minimal", 1024],
  ["low", 1024],
  ["medium", 8192],
  ["high", 24_576],
]);

const LEVELS: ReadonlyMap<string, NonNullable<ThinkingConfig["thinkingLevel"]>> = new Map([
  ["minimal", "MINIMAL"],
  ["low", "LOW"],
  ["medium", "MEDIUM"],
  ["high", "HIGH"],
]);

/** Whoever asks for thoughts wants to see them; they are paid for anyway. */
function encodeThinking(
  { reasoningEffort: effort, reasoningBudgetTokens: budget }: Parameters,
  model: string,
  wrong: Violation[],
): ThinkingConfig | undefined {
  if (!effort && budget === undefined) return undefined;
  if (effort && budget !== undefined) {
    const description = "cannot stand beside reasoning_budget_tokens for this provider; give one of them";
    wrong.push({ field: "parameters.reasoning_effort", description });
  }
  if (!effort || !isGemini3(model)) {
    const thinkingBudget = effort ? BUDGETS.get(effort) : budget;
    if (thinkingBudget === undefined) unknownEffort("none, minimal, low, medium or high", wrong);
    return thinkingBudget === undefined ? undefined : shown(thinkingBudget);
  }
  const thinkingLevel = LEVELS.get(effort);
  if (!thinkingLevel) unknownEffort("minimal, low, medium or high: it always thinks", wrong);
  return thinkingLevel && { thinkingLevel, includeThoughts: true };
}

function shown(thinkingBudget: number): ThinkingConfig {
  return thinkingBudget === 0 ? { thinkingBudget } : { thinkingBudget, includeThoughts: true };
}

function unknownEffort(known: string, wrong: Violation[]): void {
  wrong.push({ field: "parameters.reasoning_effort", description: `must be ${known} for this model` });
}

/** JSON text. The schema's name and whether it is strict have no place: Google always keeps to it. */
function schemaOf({ type, schema, schemaJson }: ResponseFormat, wrong: Violation[]): string {
  if (type === "text" || type === "json_object") return "";
  if (type !== "json_schema") {
    wrong.push({ field: "response_format.type", description: "must be text, json_object or json_schema" });
  }
  return (
    rawSchema("response_format.schema_json", schemaJson, wrong) || (schema ? JSON.stringify(schema) : "")
  );
}
