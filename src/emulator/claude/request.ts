/** Reads a request off Anthropic's wire: refuses what Anthropic refuses, in its words, and says what is asked for. */
import type { MessageCreateParams } from "@anthropic-ai/sdk/resources/messages";
import { type Directed, DirectiveError, readDirectives } from "../fault.ts";
import { asObject, type Fields, isObject, parseFields } from "../json.ts";
import type { Prompt, Tool } from "../script.ts";
import { countTokens } from "../tokens.ts";
import { decodeConversation } from "./conversation.ts";
import { Refusal } from "./errors.ts";
import { decidesItself, knowsBudgetsOnly, requireKnown } from "./models.ts";

export interface MessageRequest {
  readonly model: string;
  readonly prompt: Prompt;
  readonly fault: Directed["fault"];
  readonly stream: boolean;
  /** Whether the prompt's marks are for an hour; undefined without a mark. */
  readonly cache: "5m" | "1h" | undefined;
  /** Thoughts that only Anthropic can read. */
  readonly redacted: boolean;
  /** The model declines. */
  readonly refused: boolean;
}

/** What Anthropic's own test strings ask for. */
const REDACTED = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING";
const REFUSED = "ANTHROPIC_MAGIC_STRING_TRIGGER_REFUSAL";

/** The body as an object. Throws Refusal 400 for anything else. */
export function parseBody(body: string | undefined): Fields {
  const fields = parseFields(body);
  if (fields === undefined) throw new Refusal("The request body is not valid JSON.");
  return fields;
}

/** Throws Refusal for what is missing, empty, of a wrong type or out of range. */
export function decodeRequest(body: Fields, model: string): MessageRequest {
  const field = fieldReader(body);
  if (!model) throw new Refusal("model: Field required");
  requireKnown(model);
  const maxTokens = field("max_tokens");
  if (maxTokens === undefined) throw new Refusal("max_tokens: Field required");
  if (!Number.isInteger(maxTokens) || (maxTokens as number) < 1)
    throw new Refusal("max_tokens: Input should be greater than or equal to 1");
  const reasoningTokens = decodeThinking(body, model, maxTokens as number);
  requireSampling(body, model, reasoningTokens > 0);
  const { turns, question } = decodeConversation(body);
  const { text, fault } = directed(question);
  const tools = decodeTools(field("tools"));
  const flood = fault?.flood === true;
  const tokens = fault?.tokens ?? (flood ? FLOOD_TOKENS : undefined);
  const choice = decodeToolChoice(field("tool_choice"), tools);
  return {
    model,
    fault,
    stream: field("stream") === true,
    cache: cacheOf(JSON.stringify([body.system, body.messages, body.tools])),
    redacted: text.includes(REDACTED),
    refused: text.includes(REFUSED),
    prompt: {
      turns,
      question: text,
      tools,
      toolTokens: tools.length === 0 ? 0 : countTokens(JSON.stringify(body.tools)),
      ...choice,
      output: decodeOutput(body),
      choices: 1,
      stop: decodeStop(field("stop_sequences")),
      reasoningTokens,
      ...(flood ? {} : { maxTokens: maxTokens as number }),
      ...(tokens === undefined ? {} : { tokens }),
    },
  };
}

/** About 30 MB of a stream: more than any buffer that a test has to fill. */
const FLOOD_TOKENS = 200_000;

/** Reads fields by names that the SDK knows, so that a misspelt one does not compile; null counts as absent. */
function fieldReader(body: Fields): (name: keyof MessageCreateParams) => unknown {
  return (name) => body[name] ?? undefined;
}

function directed(text: string): Directed {
  try {
    return readDirectives(text);
  } catch (error) {
    if (error instanceof DirectiveError) throw new Refusal(error.message);
    throw error;
  }
}

/** How many tokens go with an effort. */
export const EFFORTS: ReadonlyMap<unknown, number> = new Map([
  ["low", 64],
  ["medium", 128],
  ["high", 256],
  ["xhigh", 512],
  ["max", 512],
]);
const LEAST_BUDGET = 1024;

/** How much is thought: an eighth of a budget, or what goes with the effort. */
function decodeThinking(body: Fields, model: string, maxTokens: number): number {
  const { type, budget_tokens: budget } = asObject(body.thinking);
  const tokens = EFFORTS.get(asObject(body.output_config).effort ?? "high");
  if (tokens === undefined)
    throw new Refusal("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'");
  if (type === "adaptive") {
    if (knowsBudgetsOnly(model)) throw new Refusal("adaptive thinking is not supported on this model");
    return tokens;
  }
  if (type !== "enabled") return 0;
  if (decidesItself(model)) {
    throw new Refusal(
      '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.',
    );
  }
  if (typeof budget !== "number" || budget < LEAST_BUDGET) {
    throw new Refusal(
      `thinking.enabled.budget_tokens: Input should be greater than or equal to ${LEAST_BUDGET}`,
    );
  }
  if (budget >= maxTokens) throw new Refusal("`max_tokens` must be greater than `thinking.budget_tokens`.");
  return Math.floor(budget / 8);
}

function requireSampling(body: Fields, model: string, thinks: boolean): void {
  for (const name of ["temperature", "top_p", "top_k"]) {
    if (body[name] !== undefined && decidesItself(model))
      throw new Refusal(`\`${name}\` is deprecated for this model.`);
  }
  if (thinks && body.temperature !== undefined && body.temperature !== 1)
    throw new Refusal("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.");
}

function decodeTools(tools: unknown): Tool[] {
  return (Array.isArray(tools) ? tools : []).map((tool, index): Tool => {
    const { name, input_schema: schema, type } = asObject(tool);
    const own = type === undefined || type === "custom";
    if (own && asObject(schema).type !== "object")
      throw new Refusal(`tools.${index}.custom.input_schema.type: Field required`);
    return { name: String(name ?? ""), custom: false, schema };
  });
}

function decodeToolChoice(
  choice: unknown,
  tools: readonly Tool[],
): Pick<Prompt, "toolChoice" | "parallelCalls"> {
  const { type, name, disable_parallel_tool_use: single } = asObject(choice);
  if (type !== undefined && tools.length === 0)
    throw new Refusal("tool_choice: `tool_choice` may only be specified while providing `tools`.");
  const parallelCalls = single !== true;
  if (type === "tool") return { toolChoice: { name: String(name) }, parallelCalls };
  if (type === "any") return { toolChoice: "required", parallelCalls };
  return { toolChoice: type === "none" ? "none" : "auto", parallelCalls };
}

/** By its name of today, and by the one it had in beta. */
function decodeOutput(body: Fields): Prompt["output"] {
  const format = asObject(body.output_config).format ?? body.output_format;
  return isObject(format) ? { kind: "json", schema: format.schema ?? {} } : { kind: "text" };
}

function decodeStop(stop: unknown): string[] {
  return (Array.isArray(stop) ? stop : []).filter((text) => typeof text === "string" && text !== "");
}

function cacheOf(json: string): MessageRequest["cache"] {
  if (!json.includes('"cache_control":{')) return undefined;
  return json.includes('"ttl":"1h"') ? "1h" : "5m";
}
