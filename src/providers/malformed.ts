/** Replies that are not what they should be. */
import { Failure } from "../core/failure.ts";

const MAX_QUOTED_CHARS = 500;

export function malformed(what: string, text: string, cause?: unknown): Failure {
  return new Failure("malformed_reply", "the provider sent a reply that cannot be understood", {
    operator: `${what}: ${text.slice(0, MAX_QUOTED_CHARS)}`,
    cause,
  });
}

/** @throws Failure `malformed_reply` unless the text is JSON */
export function parseJson(text: string, parse: (text: string) => unknown = JSON.parse): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw malformed("not JSON", text, cause);
  }
}

/** @throws Failure `malformed_reply` unless the text is a JSON object */
export function parseObject(text: string, parse?: (text: string) => unknown): object {
  const value = parseJson(text, parse);
  if (!isObject(value)) throw malformed("not a JSON object", text);
  return value;
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
