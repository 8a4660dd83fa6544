/** The body of `POST /chat/completions` as text, with the fields that the caller adds by hand. */
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { invalidRequest, type Violation } from "../../core/failure.ts";
import type { WireBody } from "../dialect.ts";
import { refuseTaken } from "../extra_body.ts";
import { stringifyWith } from "../raw_json.ts";

/** They decide what is called and what it may cost, so that no caller may set them by hand. */
const RESERVED: readonly string[] = [
  "model",
  "messages",
  "stream",
  "stream_options",
  "max_tokens",
  "max_completion_tokens",
  "n",
];

/**
 * @param texts more fields, whose values are JSON text already
 * @throws Failure `invalid_request` when anything was wrong
 */
export function wireBody(
  body: object,
  texts: Readonly<Record<string, string>>,
  { extraBody: extra = {} }: ChatRequest,
  wrong: Violation[],
): WireBody {
  const taken = (field: string) =>
    Object.hasOwn(body, field) || Object.hasOwn(texts, field) || RESERVED.includes(field);
  refuseTaken(extra, taken, wrong);
  if (wrong.length > 0) throw invalidRequest(wrong);
  return { path: "/chat/completions", body: stringifyWith({ ...body, ...extra }, texts) };
}
