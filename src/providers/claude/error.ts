/** Reads an error out of a body: Anthropic's own shape, or Google's and a proxy's as far as theirs is alike. */
import { isObject } from "../malformed.ts";

/** Fields are empty when the provider does not say. */
export interface WireError {
  readonly message: string;
  readonly type: string;
  /** The reason behind the type. */
  readonly code: string;
  readonly requestId: string;
  /** The body. */
  readonly raw: string;
}

interface Fields {
  readonly error?: unknown;
  readonly message?: unknown;
  readonly type?: unknown;
  readonly details?: unknown;
  readonly error_code?: unknown;
  readonly request_id?: unknown;
}

/** Never fails: what is not JSON has no fields but is kept raw. */
export function readError(body: string): WireError {
  const outer = fieldsOf(parse(body));
  const fields = isObject(outer.error) ? fieldsOf(outer.error) : outer;
  return {
    message: string(fields.message),
    type: string(fields.type),
    code: string(fieldsOf(fields.details).error_code),
    requestId: string(outer.request_id),
    raw: body,
  };
}

function parse(body: string): unknown {
  try {
    const value: unknown = JSON.parse(body);
    // Google puts an error of a stream into a list.
    return Array.isArray(value) ? value[0] : value;
  } catch {
    return undefined;
  }
}

function fieldsOf(value: unknown): Fields {
  return isObject(value) ? value : {};
}

function string(value: unknown): string {
  return typeof value === "string" ? value : "";
}
