/** Reads a request off Google's wire: refuses what Google refuses, in its words, and says what is asked for. */
import type { GenerationConfig } from "@google/genai";
import { type Directed, DirectiveError, type Fault, readDirectives } from "../fault.ts";
import { asObject, type Fields, isObject, parseFields } from "../json.ts";
import type { Prompt, Tool } from "../script.ts";
import { countTokens } from "../tokens.ts";
import { decodeConversation } from "./conversation.ts";
import { type Api, Refusal } from "./errors.ts";
import { generationOf, requireKnown } from "./models.ts";

export interface ContentRequest {
  readonly api: Api;
  readonly model: string;
  readonly prompt: Prompt;
  readonly fault: Fault | undefined;
  /** Whether thoughts are shown; they are thought all the same. */
  readonly showsThoughts: boolean;
  /** The caller's wish, as a reply tells it. */
  readonly serviceTier: string;
}

/** The body as an object. Throws Refusal 400 for anything else. */
export function parseBody(body: string | undefined): Fields {
  const fields = parseFields(body);
  if (!fields) throw new Refusal("Invalid JSON payload received. Unexpected end of string.");
  return fields;
}

/** Throws Refusal for what is missing, empty, unknown or out of range. */
export function decodeRequest(body: Fields, api: Api, model: string): ContentRequest {
  requireKnown(api, model, "generateContent");
  for (const name of Object.keys(body)) {
    if (!FIELDS.has(name))
      throw new Refusal(`Invalid JSON payload received. Unknown name "${name}": Cannot find field.`);
  }
  if (api === "vertex" && TIERS.has(body.serviceTier))
    throw new Refusal(`Invalid value at 'service_tier', "${body.serviceTier}"`);
  const config = fieldReader(asObject(body.generationConfig));
  const { turns, question } = decodeConversation(body, model);
  const { text, fault } = directed(question);
  const tools = decodeTools(body.tools);
  const thinking = decodeThinking(asObject(config("thinkingConfig")), model);
  const flood = fault?.flood === true;
  const tokens = fault?.tokens ?? (flood ? FLOOD_TOKENS : undefined);
  const maxTokens = flood ? undefined : positive(config("maxOutputTokens"), "max_output_tokens");
  return {
    api,
    model,
    fault,
    showsThoughts: thinking.shown,
    serviceTier: typeof body.serviceTier === "string" ? body.serviceTier : "standard",
    prompt: {
      turns,
      question: text,
      tools,
      toolTokens: tools.length === 0 ? 0 : countTokens(JSON.stringify(body.tools)),
      toolChoice: decodeToolChoice(body.toolConfig),
      parallelCalls: true,
      output: decodeOutput(config),
      choices: positive(config("candidateCount"), "candidate_count") ?? 1,
      stop: decodeStop(config("stopSequences")),
      reasoningTokens: thinking.tokens,
      ...(maxTokens === undefined ? {} : { maxTokens }),
      ...(tokens === undefined ? {} : { tokens }),
    },
  };
}

/** Reads the directives of a text. Throws Refusal 400 for one that cannot be meant. */
export function directed(text: string): Directed {
  try {
    return readDirectives(text);
  } catch (error) {
    if (error instanceof DirectiveError) throw new Refusal(error.message);
    throw error;
  }
}

/** About 30 MB of a stream: more than any buffer that a test has to fill. */
const FLOOD_TOKENS = 200_000;

/** Gemini's own names for them, which Vertex AI refuses in the body. */
const TIERS: ReadonlySet<unknown> = new Set(["standard", "flex", "priority"]);

/** Google refuses a body with any other. */
const FIELDS: ReadonlySet<string> = new Set([
  "cachedContent",
  "contents",
  "generationConfig",
  "labels",
  "model",
  "modelArmorConfig",
  "safetySettings",
  "serviceTier",
  "systemInstruction",
  "system_instruction",
  "toolConfig",
  "tools",
]);

type Config = (name: keyof GenerationConfig) => unknown;

/** Reads fields by names that the SDK knows, so that a misspelt one does not compile; null counts as absent. */
function fieldReader(config: Fields): Config {
  return (name) => config[name] ?? undefined;
}

const LEVELS: ReadonlyMap<unknown, number> = new Map([
  ["MINIMAL", 16],
  ["LOW", 64],
  ["MEDIUM", 128],
  ["HIGH", 256],
]);

/** How much is thought: what goes with the level, or an eighth of a budget. Without either nothing is. */
function decodeThinking(config: Fields, model: string): { tokens: number; shown: boolean } {
  const { thinkingLevel, thinkingBudget, includeThoughts } = config;
  const shown = includeThoughts === true;
  if (thinkingLevel !== undefined && thinkingBudget !== undefined)
    throw new Refusal("You can only set only one of thinking budget and thinking level.");
  if (thinkingLevel !== undefined) {
    if (generationOf(model) < 3) throw new Refusal("Thinking level is not supported for this model.");
    const tokens = LEVELS.get(String(thinkingLevel).toUpperCase());
    if (tokens === undefined)
      throw new Refusal("Invalid value at 'generation_config.thinking_config.thinking_level'");
    return { tokens, shown };
  }
  const budget = typeof thinkingBudget === "number" ? Math.max(0, thinkingBudget) : 0;
  return { tokens: Math.floor(budget / 8), shown };
}

function decodeTools(tools: unknown): Tool[] {
  const declared = (Array.isArray(tools) ? tools : []).flatMap((tool) => {
    const { functionDeclarations } = asObject(tool);
    return Array.isArray(functionDeclarations) ? functionDeclarations.map(asObject) : [];
  });
  return declared.map(({ name, parametersJsonSchema, parameters }): Tool => {
    if (parametersJsonSchema && parameters)
      throw new Refusal("Only one of parameters and parameters_json_schema can be set.");
    return {
      name: String(name ?? ""),
      custom: false,
      schema: { type: "object", ...asObject(parametersJsonSchema ?? lowered(parameters)) },
    };
  });
}

/** OpenAPI's types are written in capitals here. */
function lowered(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(lowered);
  if (!isObject(schema)) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [
      name,
      name === "type" && typeof value === "string" ? value.toLowerCase() : lowered(value),
    ]),
  );
}

function decodeToolChoice(config: unknown): Prompt["toolChoice"] {
  const { mode, allowedFunctionNames } = asObject(asObject(config).functionCallingConfig);
  if (mode === "NONE") return "none";
  if (mode !== "ANY") return "auto";
  const [name] = Array.isArray(allowedFunctionNames) ? allowedFunctionNames : [];
  return name === undefined ? "required" : { name: String(name) };
}

function decodeOutput(config: Config): Prompt["output"] {
  const schema = config("responseJsonSchema") ?? lowered(config("responseSchema"));
  if (config("responseMimeType") !== "application/json") {
    if (schema !== undefined)
      throw new Refusal(
        "Function calling config or response schema needs response_mime_type application/json.",
      );
    return { kind: "text" };
  }
  return schema === undefined ? { kind: "json" } : { kind: "json", schema };
}

function decodeStop(stop: unknown): string[] {
  const sequences = (Array.isArray(stop) ? stop : []).map(String);
  if (sequences.length > 5)
    throw new Refusal(
      "* GenerateContentRequest.generation_config.stop_sequences: at most 5 stop sequences.\n",
    );
  return sequences;
}

function positive(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1)
    throw new Refusal(`* GenerateContentRequest.generation_config.${name}: ${name} must be positive.\n`);
  return value;
}
