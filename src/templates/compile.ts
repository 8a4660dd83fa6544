/** A template as it is filled: its texts read, its variables known. It is made once, at load, where it is also judged. */
import { create } from "@bufbuild/protobuf";
import {
  type Message,
  MessageSchema,
  type Parameters,
  ParametersSchema,
} from "../../gen/ts/llmgateway/v1/message_pb.ts";
import {
  type Template,
  type TemplateVariable,
  TemplateVariableSchema,
} from "../../gen/ts/llmgateway/v1/template_pb.ts";
import { keyPath, type Violation } from "../core/strict-json.ts";
import { type Piece, readText } from "./text.ts";
import { defaultOf, objectionTo } from "./variable.ts";

export interface CompiledTemplate {
  readonly name: string;
  readonly version: number;
  /** As it was written. */
  readonly source: Template;
  /** Each that a text names. */
  readonly variables: ReadonlyMap<string, TemplateVariable>;
  readonly messages: readonly CompiledMessage[];
  /** `max_tokens` included; undefined when it says nothing of them. */
  readonly parameters: Parameters | undefined;
}

export interface CompiledMessage {
  readonly message: Message;
  readonly content: readonly Piece[];
  /** Of parts that are text, what it is made of. */
  readonly parts: readonly (readonly Piece[] | undefined)[];
}

export interface Compiled {
  readonly template: CompiledTemplate;
  /** Where it cannot be used, by paths below it. */
  readonly faults: readonly Violation[];
}

/** @param key `name` or `name@version` */
export function compileTemplate(key: string, source: Template): Compiled {
  const faults: Violation[] = [];
  const report = (field: string, description: string) => void faults.push({ field, description });
  const [name = "", version = "1"] = key.split("@");
  if ((source.prompt === "") === (source.messages.length === 0))
    report("", "must have either a prompt or messages");
  const named = new Map<string, string>();
  const read = (field: string, text: string): readonly Piece[] => {
    const { pieces, fault } = readText(text);
    if (fault !== undefined) report(field, fault);
    for (const piece of pieces ?? [])
      if (typeof piece !== "string" && !named.has(piece.variable)) named.set(piece.variable, field);
    return pieces ?? [];
  };
  const messages = source.prompt
    ? [promptOf(source.prompt, read)]
    : source.messages.map((message, index) => messageOf(message, `messages[${index}]`, read));
  const variables = variablesOf(source, named, report);
  if (source.maxTokens !== undefined && source.parameters?.maxTokens !== undefined)
    report("max_tokens", "is also given as parameters.max_tokens; give it once");
  for (const [index, field] of source.overridable.entries())
    if (!OVERRIDABLE.has(field))
      report(`overridable[${index}]`, `must be one of ${[...OVERRIDABLE].join(", ")}`);
  const template = {
    name,
    version: Number(version),
    source,
    variables,
    messages,
    parameters: parametersOf(source),
  };
  return { template, faults };
}

const OVERRIDABLE: ReadonlySet<string> = new Set([
  "model",
  "parameters",
  ...ParametersSchema.fields.map(({ name }) => `parameters.${name}`),
]);

type ReadText = (field: string, text: string) => readonly Piece[];

function promptOf(prompt: string, read: ReadText): CompiledMessage {
  return { message: create(MessageSchema, { role: "user" }), content: read("prompt", prompt), parts: [] };
}

function messageOf(message: Message, path: string, read: ReadText): CompiledMessage {
  return {
    message,
    content: read(`${path}.content`, message.content),
    parts: message.parts.map(({ part }, index) =>
      part.case === "text" ? read(`${path}.parts[${index}].text`, part.value) : undefined,
    ),
  };
}

/** @param named where each variable is named first */
function variablesOf(
  { variables }: Template,
  named: ReadonlyMap<string, string>,
  report: (field: string, description: string) => void,
): ReadonlyMap<string, TemplateVariable> {
  const declared = Object.entries(variables);
  if (declared.length === 0)
    return new Map([...named.keys()].map((name) => [name, create(TemplateVariableSchema)]));
  for (const [name, field] of named) {
    if (Object.hasOwn(variables, name)) continue;
    const known = declared.map(([name]) => name).join(", ");
    report(field, `names the variable ${name}, which is not in variables; there are ${known}`);
  }
  for (const [name, variable] of declared) {
    const path = keyPath("variables", name);
    if (!named.has(name)) report(path, "is named by no text; use it or leave it out");
    judge(variable, path, report);
  }
  return new Map(declared);
}

function judge(
  variable: TemplateVariable,
  path: string,
  report: (field: string, description: string) => void,
): void {
  const { type, values, required } = variable;
  if (type === "enum" && values.length === 0) report(`${path}.values`, "is missing; say what it may be");
  if (type !== "enum" && values.length > 0) report(`${path}.values`, "is for the type enum alone");
  if (variable.default === undefined) return;
  if (required) report(`${path}.required`, "cannot be true beside a default; leave one of them out");
  if (type !== "json" && variable.default.kind.case === "nullValue") {
    report(`${path}.default`, 'has no value; write "" for empty text, or leave it out');
    return;
  }
  const objection = objectionTo(defaultOf(variable), variable);
  if (objection && (type !== "enum" || values.length > 0)) report(`${path}.default`, objection);
}

function parametersOf({ parameters, maxTokens }: Template): Parameters | undefined {
  if (maxTokens === undefined) return parameters;
  return { ...(parameters ?? create(ParametersSchema)), maxTokens };
}
