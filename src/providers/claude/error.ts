/** Reads an error out of a body: Anthropic's own shape, or Google's and a proxy's as far as theirs is alike. */
import { fieldsIn, fieldsOf, wordsOf } from "../error_body.ts";
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

/** Never fails: what is not JSON has no fields but is kept raw. */
export function readError(body: string): WireError {
  const outer = fieldsIn(body);
  const fields = isObject(outer.error) ? fieldsOf(outer.error) : outer;
  return {
    message: wordsOf(fields.message),
    type: wordsOf(fields.type),
    code: wordsOf(fieldsOf(fields.details).error_code),
    requestId: wordsOf(outer.request_id),
    raw: body,
  };
}
