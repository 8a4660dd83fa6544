/**
 * JSON text that a caller sent as text, to be put into a body as it is. It is
 * never read into an object and written again, which would reorder keys that
 * look like integers, merge double ones and change the whitespace.
 */
import type { Violation } from "../core/failure.ts";
import { isObject } from "./malformed.ts";

/** The JSON of a non-empty object, with more members whose values are JSON text already. */
export function stringifyWith(object: object, members: Readonly<Record<string, string>>): string {
  return withMembers(JSON.stringify(object), members);
}

/** The same for an object that is JSON text itself, without white space at its end. */
export function withMembers(object: string, members: Readonly<Record<string, string>>): string {
  let json = object;
  for (const [key, text] of Object.entries(members))
    json = `${json.slice(0, -1)},${JSON.stringify(key)}:${text}}`;
  return json;
}

export function isJsonObject(text: string): boolean {
  try {
    return isObject(JSON.parse(text));
  } catch {
    return false;
  }
}

/** A schema that came as text, if it did; a text that is none is a violation. */
export function rawSchema(field: string, json: string, wrong: Violation[]): string {
  if (json && !isJsonObject(json)) wrong.push({ field, description: "must be the text of a JSON object" });
  return json;
}

/** A JSON object of members whose values are JSON text already. */
export function objectOf(members: Iterable<readonly [name: string, json: string]>): string {
  let json = "";
  for (const [name, value] of members) json += `${json ? "," : "{"}${JSON.stringify(name)}:${value}`;
  return json ? `${json}}` : "{}";
}

/** What Node's JSON can do, though TypeScript does not know it yet. */
interface SourceTexts {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  /** A value that is written again as this text. */
  rawJSON(text: string): unknown;
}

/** `JSON.parse`, but for numbers that a double cannot hold, which stay as they are written when they are written again. */
export function parseExactly(text: string): unknown {
  // Seldom, and it costs a call for every value.
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  const exact: SourceTexts = JSON as typeof JSON & SourceTexts;
  return exact.parse(text, (_, value, { source }) =>
    typeof value === "number" && source !== undefined && String(value) !== source
      ? exact.rawJSON(source)
      : value,
  );
}
