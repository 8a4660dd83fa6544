/** The forms that the text of an environment variable may have. They know no variable and show no value. */
import { createHash } from "node:crypto";
import type { JsonValue } from "@bufbuild/protobuf";

export interface Form {
  /** In words, to be read after "must be". */
  readonly words: string;
  /** The value in Protobuf's JSON; undefined for a text of another form. */
  readonly parse: (text: string) => JsonValue | undefined;
}

/** Decimal digits and nothing else: no sign, space, fraction or exponent. */
export function wholeNumber(min: number, max: number): Form {
  return numeric(`a whole number from ${min} to ${max}`, min, max, (value) => value);
}

/** A duration, written as a whole number of seconds. */
export function seconds(min: number, max: number): Form {
  return numeric(`a whole number of seconds from ${min} to ${max}`, min, max, (value) => `${value}s`);
}

export function oneOf(...choices: readonly string[]): Form {
  return {
    words: `one of ${choices.join(", ")}`,
    parse: (text) => (choices.includes(text) ? text : undefined),
  };
}

export function text(words: string, pattern = /\S/): Form {
  return { words, parse: (given) => (pattern.test(given) ? given : undefined) };
}

export const BOOLEAN: Form = {
  words: "true, false, 1 or 0",
  parse: (given) => (/^(true|1)$/.test(given) ? true : /^(false|0)$/.test(given) ? false : undefined),
};

export const HTTP_URL: Form = {
  words: "a URL that begins with http:// or https://",
  parse: (given) => (isHttpUrl(given) ? given : undefined),
};

/** A key that goes into a header: a line break at its end is the usual accident. */
export const SECRET: Form = text("printable ASCII without spaces or line breaks", /^[\x21-\x7e]+$/);

/** Only the hashes leave this function; who holds which key is all that the configuration knows. */
export const API_KEYS: Form = {
  words:
    "pairs name=key, separated by commas; a name has up to 64 letters, digits, '.', '_' and '-', " +
    "a key is printable ASCII without spaces and commas",
  parse: (given) => {
    const pairs = given.split(",").map((pair) => /^\s*([a-zA-Z0-9._-]{1,64})=([\x21-\x7e]+)\s*$/.exec(pair));
    if (pairs.includes(null)) return undefined;
    return pairs.map((pair) => ({ name: pair?.[1] ?? "", sha256: sha256(pair?.[2] ?? "") }));
  },
};

export function isHttpUrl(given: string): boolean {
  return /^https?:\/\/\S+$/.test(given) && URL.canParse(given);
}

function numeric(words: string, min: number, max: number, write: (value: number) => JsonValue): Form {
  return {
    words,
    parse: (given) => {
      const value = /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN;
      return value >= min && value <= max ? write(value) : undefined;
    },
  };
}

function sha256(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
