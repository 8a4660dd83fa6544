/**
 * Makes a request of its template: the template's messages filled and before its own, model and parameters as the
 * template says or lets it say. Roles are the template's; a value is one text, whatever stands in it.
 */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type Message, type Parameters, ParametersSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { Failure, invalidRequest, type Violation } from "../core/failure.ts";
import { keyPath } from "../core/strict-json.ts";
import type { CompiledTemplate } from "./compile.ts";
import { fill, filledLength } from "./text.ts";
import { defaultOf, isRequired, objectionTo } from "./variable.ts";

export interface Room {
  /** The most that the texts of a template may come to, in UTF-16 units. */
  readonly maxLength: number;
}

/** As ChatRequest has it, which cannot count the template's own. */
const MAX_MESSAGES = 10_000;

/** @throws Failure that names the variable and the template, or the field that the template does not leave open */
export function expand(request: ChatRequest, template: CompiledTemplate, room: Room): ChatRequest {
  const messages = renderMessages(template, request.variables, room);
  const violations: Violation[] = [];
  const report = (field: string, description: string) => void violations.push({ field, description });
  const chosen = modelOf(request, template, report);
  const parameters = parametersOf(request.parameters, template, report);
  if (messages.length + request.messages.length > MAX_MESSAGES)
    report("messages", `are more than ${MAX_MESSAGES} with those of the template ${nameOf(template)}`);
  if (violations.length > 0) throw invalidRequest(violations);
  return {
    ...request,
    messages: [...messages, ...request.messages],
    ...chosen,
    ...(parameters ? { parameters } : {}),
    template: "",
    templateVersion: 0,
    variables: {},
  };
}

/** @throws Failure that names the variable and the template */
export function renderMessages(
  template: CompiledTemplate,
  given: Readonly<Record<string, string>>,
  { maxLength }: Room,
): Message[] {
  const values = valuesOf(template, given);
  let length = 0;
  for (const { content, parts } of template.messages) {
    length += filledLength(content, values);
    for (const part of parts) length += part ? filledLength(part, values) : 0;
  }
  if (length > maxLength) {
    const text = `the template ${nameOf(template)} comes to ${length} characters with these variables, and ${maxLength} are allowed`;
    throw new Failure("payload_too_large", text);
  }
  return template.messages.map(({ message, content, parts }) => ({
    ...message,
    content: fill(content, values),
    parts: message.parts.map((part, index) => {
      const pieces = parts[index];
      return pieces ? { ...part, part: { case: "text", value: fill(pieces, values) } } : part;
    }),
  }));
}

/** As a request names it. */
export function nameOf({ name, version }: Pick<CompiledTemplate, "name" | "version">): string {
  return `${name}@${version}`;
}

function valuesOf(
  template: CompiledTemplate,
  given: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  const { variables } = template;
  const violations: Violation[] = [];
  const report = (name: string, description: string) =>
    void violations.push({ field: keyPath("variables", name), description });
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(given)) {
    const variable = variables.get(name);
    if (!variable) {
      const known = variables.size > 0 ? `it has ${[...variables.keys()].join(", ")}` : "it has none";
      report(name, `is no variable of the template ${nameOf(template)}; ${known}`);
      continue;
    }
    const objection = objectionTo(value, variable);
    if (objection) report(name, `${objection}, says the template ${nameOf(template)}`);
    values.set(name, value);
  }
  for (const [name, variable] of variables) {
    if (values.has(name)) continue;
    if (isRequired(variable)) report(name, `is missing; the template ${nameOf(template)} needs it`);
    else values.set(name, defaultOf(variable));
  }
  if (violations.length > 0) throw invalidRequest(violations);
  return values;
}

/** Whose version it is follows from the model, so that both are one choice. */
function modelOf(
  { model, modelVersion }: ChatRequest,
  template: CompiledTemplate,
  report: (field: string, description: string) => void,
): Pick<ChatRequest, "model" | "modelVersion"> {
  const { source } = template;
  const says = source.model !== "" || source.modelVersion !== "";
  const asks = model !== "" || modelVersion !== "";
  if (!asks) return { model: source.model, modelVersion: source.modelVersion };
  if (says && !source.overridable.includes("model"))
    report(model ? "model" : "model_version", fixedBy(template, "model"));
  return { model: model || source.model, modelVersion };
}

function parametersOf(
  asked: Parameters | undefined,
  template: CompiledTemplate,
  report: (field: string, description: string) => void,
): Parameters | undefined {
  const { parameters: said, source } = template;
  if (!asked || !said) return asked ?? said;
  const merged: Record<string, unknown> = { ...said };
  for (const { localName, name } of ParametersSchema.fields) {
    const value = asked[localName as keyof Parameters];
    if (!isSaid(value)) continue;
    const field = `parameters.${name}`;
    const isOpen = source.overridable.includes("parameters") || source.overridable.includes(field);
    if (isSaid(said[localName as keyof Parameters]) && !isOpen) report(field, fixedBy(template, field));
    merged[localName] = value;
  }
  return merged as Parameters;
}

function isSaid(value: unknown): boolean {
  return value !== undefined && value !== "" && !(Array.isArray(value) && value.length === 0);
}

function fixedBy(template: CompiledTemplate, field: string): string {
  return `is fixed by the template ${nameOf(template)}; leave it out, or have ${field} among its overridable`;
}
