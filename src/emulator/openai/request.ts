/** Reads a chat request off OpenAI's wire: refuses what OpenAI refuses, in its words, and says what is asked for. */
import type { ChatCompletionCreateParams } from "openai/resources/chat/completions";
import { type Directed, DirectiveError, readDirectives } from "../fault.ts";
import { asObject, type Fields, isObject, parseFields } from "../json.ts";
import type { Prompt, Tool, Turn } from "../script.ts";
import { countTokens, TOKENS_PER_IMAGE } from "../tokens.ts";
import { Refusal, unreadableBody } from "./errors.ts";
import { isReasoning, requireKnown } from "./models.ts";

export interface ChatRequest {
  readonly model: string;
  readonly prompt: Prompt;
  readonly fault: Directed["fault"];
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly obfuscate: boolean;
  /** A call that was forced by name finishes with `stop`. */
  readonly forced: boolean;
}

/** The body as an object. Throws Refusal 400 for anything else. */
export function parseBody(body: string | undefined): Fields {
  const fields = parseFields(body);
  if (fields === undefined) throw unreadableBody();
  return fields;
}

/** The model's name; on Azure the deployment stands in for it. Throws Refusal. */
export function decodeModel(body: Fields, deployment: string | undefined): string {
  const model = body.model ?? deployment;
  if (typeof model !== "string" || model === "") throw new Refusal(400, "you must provide a model parameter");
  requireKnown(deployment ?? model);
  requireKnown(model);
  return model;
}

/** Throws Refusal for what is missing, empty, of a wrong type or out of range. */
export function decodeChat(body: Fields, model: string): ChatRequest {
  const turns = decodeMessages(body.messages);
  const { text, fault } = directed(turns.findLast((turn) => turn.role === "user")?.text ?? "");
  const field = fieldReader(body);
  if (isReasoning(model) && field("max_tokens") !== undefined) {
    const message =
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
    throw new Refusal(400, message, "unsupported_parameter", "max_tokens");
  }
  const flood = fault?.flood === true;
  const tokens = fault?.tokens ?? (flood ? FLOOD_TOKENS : undefined);
  const maxTokens = flood
    ? undefined
    : (positive(body, "max_completion_tokens") ?? positive(body, "max_tokens"));
  const tools = decodeTools(field("tools"));
  const toolChoice = decodeToolChoice(field("tool_choice"), tools);
  const streamOptions = asObject(body.stream_options);
  const stream = field("stream") === true;
  requireTier(field("service_tier"));
  if (!stream && field("stream_options") !== undefined) {
    const message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
    throw new Refusal(400, message, null, "stream_options");
  }
  return {
    model,
    fault,
    stream,
    includeUsage: streamOptions.include_usage === true,
    obfuscate: streamOptions.include_obfuscation !== false,
    forced: typeof toolChoice === "object",
    prompt: {
      turns,
      question: text,
      tools,
      toolTokens: tools.length === 0 ? 0 : countTokens(JSON.stringify(body.tools)),
      toolChoice,
      parallelCalls: field("parallel_tool_calls") !== false,
      output: decodeOutput(field("response_format")),
      choices: positive(body, "n") ?? 1,
      stop: decodeStop(field("stop")),
      reasoningTokens: REASONING_TOKENS.get(field("reasoning_effort")) ?? 0,
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
    if (error instanceof DirectiveError) throw new Refusal(400, error.message, "invalid_emulator_directive");
    throw error;
  }
}

/** About 45 MB of a stream: more than any buffer that a test has to fill. */
const FLOOD_TOKENS = 200_000;

const REASONING_TOKENS: ReadonlyMap<unknown, number> = new Map([
  ["minimal", 16],
  ["low", 64],
  ["medium", 128],
  ["high", 256],
  ["xhigh", 512],
]);

const TIERS: ReadonlySet<unknown> = new Set([undefined, "auto", "default", "flex", "scale", "priority"]);

function requireTier(tier: unknown): void {
  if (TIERS.has(tier)) return;
  const message = `Invalid value: '${tier}'. Supported values are: 'auto', 'default', 'flex', 'scale', and 'priority'.`;
  throw new Refusal(400, message, "invalid_value", "service_tier");
}

/** Reads fields by names that the SDK knows, so that a misspelt one does not compile; null counts as absent. */
function fieldReader(body: Fields): (name: keyof ChatCompletionCreateParams) => unknown {
  return (name) => body[name] ?? undefined;
}

const ROLES: ReadonlySet<unknown> = new Set(["system", "developer", "user", "assistant", "tool", "function"]);

function decodeMessages(messages: unknown): Turn[] {
  if (messages === undefined || messages === null) {
    throw new Refusal(
      400,
      "Missing required parameter: 'messages'.",
      "missing_required_parameter",
      "messages",
    );
  }
  if (!Array.isArray(messages)) {
    const message = `Invalid type for 'messages': expected an array of objects, but got ${typeName(messages)} instead.`;
    throw new Refusal(400, message, "invalid_type", "messages");
  }
  if (messages.length === 0) {
    const message =
      "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.";
    throw new Refusal(400, message, "empty_array", "messages");
  }
  return messages.map(decodeMessage);
}

function decodeMessage(message: unknown, index: number): Turn {
  const fields = asObject(message);
  const { role, content } = fields;
  if (typeof role !== "string" || !ROLES.has(role)) {
    const supported = "'system', 'assistant', 'user', 'function', 'tool', and 'developer'";
    const param = `messages[${index}].role`;
    throw new Refusal(
      400,
      `Invalid value: '${role}'. Supported values are: ${supported}.`,
      "invalid_value",
      param,
    );
  }
  const parts = Array.isArray(content) ? content.filter(isObject) : [];
  const text = typeof content === "string" ? content : parts.map(partText).join("");
  let tokens = countTokens(text);
  for (const part of parts) {
    if (part.type === "image_url") tokens += TOKENS_PER_IMAGE;
    else if (part.type !== "text" && part.type !== "refusal") tokens += countTokens(JSON.stringify(part));
  }
  if (Array.isArray(fields.tool_calls)) tokens += countTokens(JSON.stringify(fields.tool_calls));
  return { role, text, tokens };
}

function partText(part: Fields): string {
  const text = part.text ?? part.refusal;
  return typeof text === "string" ? text : "";
}

function decodeTools(tools: unknown): Tool[] {
  return (Array.isArray(tools) ? tools : []).map((tool): Tool => {
    const custom = isObject(tool) && tool.type === "custom";
    const declared = isObject(tool) ? (custom ? tool.custom : tool.function) : undefined;
    const fields = asObject(declared);
    return {
      name: String(fields.name ?? ""),
      custom,
      schema: { type: "object", ...asObject(fields.parameters) },
    };
  });
}

function decodeToolChoice(choice: unknown, tools: readonly Tool[]): Prompt["toolChoice"] {
  if (choice === undefined) return "auto";
  if (tools.length === 0) {
    const message =
      "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.";
    throw new Refusal(400, message, null, "tool_choice");
  }
  if (choice === "none" || choice === "auto" || choice === "required") return choice;
  const named = isObject(choice) ? (choice.function ?? choice.custom) : undefined;
  return isObject(named) ? { name: String(named.name) } : "auto";
}

function decodeOutput(format: unknown): Prompt["output"] {
  if (!isObject(format)) return { kind: "text" };
  if (format.type === "json_schema") {
    return { kind: "json", schema: isObject(format.json_schema) ? (format.json_schema.schema ?? {}) : {} };
  }
  return { kind: format.type === "json_object" ? "json" : "text" };
}

function decodeStop(stop: unknown): string[] {
  const sequences = Array.isArray(stop) ? stop : [stop];
  return sequences.filter((sequence) => typeof sequence === "string" && sequence !== "");
}

function positive(body: Fields, name: "n" | "max_tokens" | "max_completion_tokens"): number | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value)) {
    const message = `Invalid type for '${name}': expected an integer, but got ${typeName(value)} instead.`;
    throw new Refusal(400, message, "invalid_type", name);
  }
  if (value < 1) {
    const message = `Invalid '${name}': integer below minimum value. Expected a value >= 1, but got ${value} instead.`;
    throw new Refusal(400, message, "integer_below_min_value", name);
  }
  return value;
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number") return "a decimal number";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
