/** Reads an error out of a body, in any of the shapes that OpenAI-like providers and their proxies send. */
import { fieldsIn, fieldsOf, wordsOf } from "../error_body.ts";
import { isObject } from "../malformed.ts";

/** Fields are empty when the provider does not say. */
export interface WireError {
  readonly message: string;
  readonly type: string;
  readonly code: string;
  /** Azure's reason behind the code. */
  readonly innerCode: string;
  /** The HTTP status that stands in the body, as OpenRouter's and vLLM's `code`. */
  readonly status: number | undefined;
  /** The body. */
  readonly raw: string;
}

/** Never fails: what is not JSON, such as a proxy's HTML page, has no fields but is kept raw. */
export function readError(body: string): WireError {
  const outer = fieldsIn(body);
  const fields = isObject(outer.error) ? fieldsOf(outer.error) : outer;
  const code = typeof fields.code === "number" ? String(fields.code) : wordsOf(fields.code);
  return {
    // FastAPI has its message in `detail`.
    message: wordsOf(fields.message) || wordsOf(fields.detail) || wordsOf(outer.error),
    type: wordsOf(fields.type),
    code,
    innerCode: wordsOf(fieldsOf(fields.innererror).code),
    status: /^[45]\d\d$/.test(code) ? Number(code) : undefined,
    raw: body,
  };
}
