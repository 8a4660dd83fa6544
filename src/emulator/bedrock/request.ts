/** Reads a request off Converse's wire: refuses what Bedrock refuses, in its words, and says what is asked for. */
import type { ConverseRequest } from "@aws-sdk/client-bedrock-runtime";
import { EFFORTS } from "../claude/request.ts";
import { type Directed, DirectiveError, readDirectives } from "../fault.ts";
import { asObject, type Fields, isObject, parseFields } from "../json.ts";
import type { Prompt, Tool } from "../script.ts";
import { countTokens } from "../tokens.ts";
import { decodeConversation } from "./conversation.ts";
import { Refusal } from "./errors.ts";

export interface BedrockRequest {
  readonly prompt: Prompt;
  readonly fault: Directed["fault"];
  /** Whether the prompt's marks are for an hour; undefined without a mark. */
  readonly cache: "5m" | "1h" | undefined;
  /** As it is told back; undefined when none was asked for. */
  readonly serviceTier: unknown;
}

/** The body as an object. Throws Refusal for anything else. */
export function parseBody(body: string | undefined): Fields {
  const fields = parseFields(body);
  if (!fields) throw new Refusal("The request body is not valid JSON.", "SerializationException");
  return fields;
}

/** An id has its vendor in front, or is an ARN. Throws Refusal for anything else, and for `no-such-…`. */
export function requireModel(model: string): void {
  if (!/^arn:aws|\./.test(model) || model.includes("no-such-"))
    throw new Refusal("The provided model identifier is invalid.");
}

/** Throws Refusal for what is missing, empty, of a wrong type or out of range. */
export function decodeConverse(body: Fields): BedrockRequest {
  const field = (name: keyof ConverseRequest) => body[name] ?? undefined;
  const { turns, question } = decodeConversation(body);
  const { text, fault } = directed(question);
  const { maxTokens, stopSequences } = asObject(field("inferenceConfig"));
  const { tools: declared, toolChoice } = asObject(field("toolConfig"));
  const tools = decodeTools(declared);
  return {
    fault,
    cache: cacheOf(JSON.stringify([body.system, body.messages, declared])),
    serviceTier: asObject(field("serviceTier")).type,
    prompt: promptOf(fault, {
      turns,
      question: text,
      tools,
      toolTokens: tools.length === 0 ? 0 : countTokens(JSON.stringify(declared)),
      toolChoice: decodeToolChoice(toolChoice),
      output: decodeOutput(asObject(field("outputConfig"))),
      stop: Array.isArray(stopSequences) ? stopSequences.map(String) : [],
      reasoningTokens: thoughtTokens(body),
      maxTokens: positive(maxTokens, "inferenceConfig.maxTokens"),
    }),
  };
}

type Asked = Pick<Prompt, "turns" | "question" | "stop"> &
  Partial<Prompt> & { readonly maxTokens: number | undefined };

/** What was asked for, as far as the fault leaves it. */
export function promptOf(
  fault: Directed["fault"],
  { maxTokens, ...asked }: Omit<Asked, "maxTokens"> & { maxTokens: number | undefined },
): Prompt {
  const flood = fault?.flood === true;
  const tokens = fault?.tokens ?? (flood ? FLOOD_TOKENS : undefined);
  return {
    tools: [],
    toolTokens: 0,
    toolChoice: "auto",
    parallelCalls: true,
    output: { kind: "text" },
    choices: 1,
    reasoningTokens: 0,
    ...asked,
    ...(flood || maxTokens === undefined ? {} : { maxTokens }),
    ...(tokens === undefined ? {} : { tokens }),
  };
}

/** About 40 MB of a stream: more than any buffer that a test has to fill. */
const FLOOD_TOKENS = 200_000;

export function directed(text: string): Directed {
  try {
    return readDirectives(text);
  } catch (error) {
    if (error instanceof DirectiveError) throw new Refusal(error.message);
    throw error;
  }
}

export function positive(value: unknown, path: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1) return value;
  throw new Refusal(
    `Value '${value}' at '${path}' failed to satisfy constraint: Member must have value greater than or equal to 1`,
  );
}

function decodeTools(tools: unknown): Tool[] {
  return (Array.isArray(tools) ? tools : []).flatMap((tool): Tool[] => {
    const { name, inputSchema } = asObject(asObject(tool).toolSpec);
    return name === undefined
      ? []
      : [{ name: String(name), custom: false, schema: asObject(inputSchema).json }];
  });
}

function decodeToolChoice(choice: unknown): Prompt["toolChoice"] {
  const { any, tool } = asObject(choice);
  if (isObject(tool)) return { name: String(tool.name) };
  return any === undefined ? "auto" : "required";
}

/** A schema is text there. */
function decodeOutput({ textFormat }: Fields): Prompt["output"] {
  const { schema } = asObject(asObject(asObject(textFormat).structure).jsonSchema);
  if (schema === undefined) return { kind: "text" };
  try {
    return { kind: "json", schema: JSON.parse(String(schema)) };
  } catch {
    throw new Refusal("The value at outputConfig.textFormat.structure.jsonSchema.schema is not valid JSON.");
  }
}

/** By Claude's budget, of which an eighth is used, or by an effort in any of the places that there are for one. */
function thoughtTokens({ additionalModelRequestFields, outputConfig }: Fields): number {
  const { thinking, reasoningConfig, reasoning_effort } = asObject(additionalModelRequestFields);
  const { type, budget_tokens: budget } = asObject(thinking);
  if (type === "enabled" && typeof budget === "number") return Math.floor(budget / 8);
  if (type === "disabled") return 0;
  const effort =
    asObject(reasoningConfig).maxReasoningEffort ?? reasoning_effort ?? asObject(outputConfig).effort;
  return EFFORTS.get(effort) ?? 0;
}

function cacheOf(json: string): BedrockRequest["cache"] {
  if (!json.includes('"cachePoint":{')) return undefined;
  return json.includes('"ttl":"1h"') ? "1h" : "5m";
}
