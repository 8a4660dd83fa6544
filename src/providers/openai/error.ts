/** Reads an error out of a body, in any of the shapes that OpenAI-like providers and their proxies send. */
import { fieldsIn, fieldsOf, wordsOf } from "../error_body.ts";
import { isObject } from "../malformed.ts";

/** Fields are empty when the provider does not say. */
export interface WireError {
  readonly message: string;
  readonly type: string;
  readonly code: string;
  /** Azure's reason behind the code, and OpenRouter's. */
  readonly innerCode: string;
  /** The HTTP status that stands in the body, as OpenRouter's and vLLM's `code`, and Mistral's `raw_status_code`. */
  readonly status: number | undefined;
  /** The body. */
  readonly raw: string;
}

/** Never fails: what is not JSON, such as a proxy's HTML page, has no fields but is kept raw. */
export function readError(body: string): WireError {
  const outer = fieldsIn(body);
  const fields = isObject(outer.error) ? fieldsOf(outer.error) : outer;
  const code = number(fields.code) || wordsOf(fields.code);
  const { error_type, flagged_input, raw } = fieldsOf(fields.metadata);
  const message = said(fields.message) || said(fields.detail) || wordsOf(outer.error);
  return {
    // Of whom it asked OpenRouter says that they "returned error", and what that was beside it.
    message: [message, wordsOf(raw)].filter(Boolean).join(": "),
    type: wordsOf(fields.type),
    code,
    innerCode:
      wordsOf(fieldsOf(fields.innererror).code) || wordsOf(error_type) || (flagged_input ? FLAGGED : ""),
    status: [code, number(fields.raw_status_code)].filter((text) => /^[45]\d\d$/.test(text)).map(Number)[0],
    raw: body,
  };
}

/** OpenRouter's word for a prompt that a moderation flagged, where it does not say it. */
const FLAGGED = "content_policy_violation";

/** A text, or FastAPI's list of what is wrong, which Mistral wraps once more: `{"message": {"detail": [...]}}`. */
function said(value: unknown): string {
  const words = isObject(value) ? fieldsOf(value).detail : value;
  return Array.isArray(words) ? words.map(complaint).filter(Boolean).join("; ") : wordsOf(words);
}

/** One of FastAPI's: where, and what. */
function complaint(value: unknown): string {
  const { loc, msg } = fieldsOf(value);
  const path = Array.isArray(loc) ? loc.filter((step) => typeof step !== "object") : [];
  return [path.join("."), wordsOf(msg)].filter(Boolean).join(": ");
}

function number(value: unknown): string {
  return typeof value === "number" ? String(value) : "";
}
