/** Reads an error out of a body, in any of the shapes that OpenAI-like providers and their proxies send. */
import { isObject } from "../malformed.ts";

/** Fields are empty when the provider does not say. */
export interface WireError {
  readonly message: string;
  readonly type: string;
  readonly code: string;
  /** Azure's reason behind the code. */
  readonly innerCode: string;
  /** The HTTP status that stands in the body, as OpenRouter's and vLLM's `code`, and Mistral's `raw_status_code`. */
  readonly status: number | undefined;
  /** The body. */
  readonly raw: string;
}

interface Fields {
  readonly error?: unknown;
  readonly message?: unknown;
  /** FastAPI's message, or its list of what is wrong. */
  readonly detail?: unknown;
  readonly type?: unknown;
  readonly code?: unknown;
  readonly innererror?: unknown;
  readonly raw_status_code?: unknown;
}

/** Never fails: what is not JSON, such as a proxy's HTML page, has no fields but is kept raw. */
export function readError(body: string): WireError {
  const outer = fieldsOf(parse(body));
  const fields = isObject(outer.error) ? fieldsOf(outer.error) : outer;
  const code = number(fields.code) || string(fields.code);
  return {
    message: words(fields.message) || words(fields.detail) || string(outer.error),
    type: string(fields.type),
    code,
    innerCode: string(fieldsOf(fields.innererror).code),
    status: [code, number(fields.raw_status_code)].filter((text) => /^[45]\d\d$/.test(text)).map(Number)[0],
    raw: body,
  };
}

/** A text, or FastAPI's list of what is wrong, which Mistral wraps once more: `{"message": {"detail": [...]}}`. */
function words(value: unknown): string {
  const said = isObject(value) ? fieldsOf(value).detail : value;
  return Array.isArray(said) ? said.map(complaint).filter(Boolean).join("; ") : string(said);
}

/** One of FastAPI's: where, and what. */
function complaint(value: unknown): string {
  const { loc, msg }: { readonly loc?: unknown; readonly msg?: unknown } = isObject(value) ? value : {};
  const path = Array.isArray(loc) ? loc.filter((step) => typeof step !== "object") : [];
  return [path.join("."), string(msg)].filter(Boolean).join(": ");
}

function parse(body: string): unknown {
  try {
    const value: unknown = JSON.parse(body);
    // Gemini's compatible endpoint puts the error into a list.
    return Array.isArray(value) ? value[0] : value;
  } catch {
    return undefined;
  }
}

function fieldsOf(value: unknown): Fields {
  return isObject(value) ? value : {};
}

function number(value: unknown): string {
  return typeof value === "number" ? String(value) : "";
}

function string(value: unknown): string {
  return typeof value === "string" ? value : "";
}
