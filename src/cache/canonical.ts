/**
 * Writes JSON so that equal values are equal texts: keys sorted, no space, numbers as ECMAScript writes them (RFC 8785).
 * It does not know what the JSON is for.
 */
import type { JsonValue } from "@bufbuild/protobuf";

/** What is nested deeper is nothing that a provider reads. */
const MAX_DEPTH = 256;
/** So many digits may be more than a number of ECMAScript keeps, as may an exponent. */
const MAY_BE_INEXACT = /[\d.]{16}|\d[eE]/;

/** In a pair of brackets that tells it from a text that is no JSON. */
export type Canonical = readonly [json: string] | string;

export function canonicalJson(value: JsonValue): Canonical {
  return canonical(() => value) ?? JSON.stringify(value);
}

/** As its value, if the text is JSON; else as it stands. */
export function canonicalText(text: string): Canonical {
  if (text === "") return "";
  return canonical(() => (MAY_BE_INEXACT.test(text) ? JSON.parse(text, exactly) : JSON.parse(text))) ?? text;
}

function canonical(read: () => JsonValue): Canonical | undefined {
  try {
    return [written(read(), 0)];
  } catch {
    return undefined;
  }
}

/** A number that is another one once it is read, and so stays as it was written. */
class Inexact {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

function exactly(_key: string, value: unknown, { source = "" }: { source?: string } = {}): unknown {
  if (typeof value !== "number") return value;
  const digits = source.replace(/[eE].*|[-.]/g, "").replace(/^0+/, "");
  const isExact = Number.isFinite(value) && digits.length <= 15 && (value !== 0 || digits === "");
  return isExact || JSON.stringify(value) === source ? value : new Inexact(source);
}

function written(value: JsonValue | Inexact, depth: number): string {
  if (value instanceof Inexact) return value.source;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (depth === MAX_DEPTH) throw new RangeError("nested too deep");
  if (Array.isArray(value)) return `[${value.map((one) => written(one, depth + 1)).join()}]`;
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${written(value[key] as JsonValue, depth + 1)}`);
  return `{${members.join()}}`;
}
