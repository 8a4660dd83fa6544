/** What a value of a variable must be. It changes none: what is given is what is put in. */
import { toJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import type { TemplateVariable } from "../../gen/ts/llmgateway/v1/template_pb.ts";

/** What the value is not, and what would be right; undefined when it is right. Never repeats it. */
export function objectionTo(value: string, variable: TemplateVariable): string | undefined {
  const { maxLength, type } = variable;
  if (maxLength !== undefined && lengthOf(value, maxLength) > maxLength)
    return `is longer than ${maxLength} characters`;
  return RULES[type || "string"]?.(value, variable);
}

const RULES: Readonly<Record<string, (value: string, variable: TemplateVariable) => string | undefined>> = {
  string: () => undefined,
  number: (value) =>
    NUMBER.test(value) && Number.isFinite(Number(value)) ? undefined : "must be a number, such as 0.5",
  integer: (value) => (INTEGER.test(value) ? undefined : "must be a whole number, such as 3"),
  boolean: (value) => (value === "true" || value === "false" ? undefined : "must be true or false"),
  json: (value) => (isJson(value) ? undefined : "must be JSON"),
  enum: (value, { values }) => (values.includes(value) ? undefined : `must be one of ${values.join(", ")}`),
};

const INTEGER = /^-?(0|[1-9][0-9]*)$/;
/** As JSON writes them. */
const NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;

/** Whether a request must give it. */
export function isRequired(variable: TemplateVariable): boolean {
  return variable.required ?? variable.default === undefined;
}

/** The default as text; empty for none. */
export function defaultOf({ default: value, type }: TemplateVariable): string {
  if (value === undefined) return "";
  return textOf(value, type);
}

function textOf(value: Value, type: string): string {
  const { kind } = value;
  // Of the type `json` a text is JSON that was written as one.
  if (kind.case === "stringValue") return kind.value;
  if (kind.case === "numberValue" && type !== "json" && Number.isInteger(kind.value))
    return BigInt(kind.value).toString();
  return JSON.stringify(toJson(ValueSchema, value));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** In characters, counted no further than is needed. */
function lengthOf(text: string, enough: number): number {
  if (text.length <= enough) return text.length;
  let count = 0;
  for (const _ of text) if (++count > enough) break;
  return count;
}
