/** Looks into the body of an error, which may be anything: a proxy's HTML page, too. Nothing here ever fails. */
import { isObject } from "./malformed.ts";

/** A JSON object of which nothing is known. */
export type Fields = Readonly<Record<string, unknown>>;

/** The JSON object that the body is, or the first one of its list, as some of Google's are; else one without fields. */
export function fieldsIn(body: string): Fields {
  try {
    const value: unknown = JSON.parse(body);
    return fieldsOf(Array.isArray(value) ? value[0] : value);
  } catch {
    return {};
  }
}

export function fieldsOf(value: unknown): Fields {
  return isObject(value) ? (value as Fields) : {};
}

/** Empty for what is no text. */
export function wordsOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
