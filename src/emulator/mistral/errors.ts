/** Errors as Mistral spells them: its own flat object, FastAPI's `detail`, and the lone `message` of what stands before it. */
import type { Answer } from "../exchange.ts";
import type { Fault } from "../fault.ts";
import { Refusal } from "../openai/errors.ts";
import { retryAfterHeaders } from "../retry-after.ts";

/** A refusal whose error has a number of Mistral's. */
export function refusal(status: number, message: string, code: string): Refusal {
  return new Refusal(status, message, code);
}

/** What is wrong with a field: as its API says it, in a list inside of the message. */
export function refusalAnswer({ status, error }: Refusal): Answer {
  if (status === 401) return answer(401, INVALID_KEY);
  if (error.code === "model_not_found") {
    const model = /`(.*)`/.exec(error.message)?.[1] ?? "";
    return answer(400, flat(400, "1500", `Invalid model: ${model}`));
  }
  if (error.code !== null && TYPES.has(error.code))
    return answer(status, flat(status, error.code, error.message));
  return answer(422, invalid(error.code ?? "value_error", error.param ?? "", error.message));
}

export function notFound(): Answer {
  return answer(404, { detail: "Not Found" });
}

export function faultAnswer(fault: Fault): Answer {
  const { status, body } = faultOf(fault);
  const { headers } = answer(status, body);
  return {
    status,
    headers: { ...headers, ...retryAfterHeaders(fault) },
    body: JSON.stringify(body),
  };
}

/** The error itself, as it is also sent inside a stream. */
export function faultBody(fault: Fault): string {
  return JSON.stringify(faultOf(fault).body);
}

const INVALID_KEY = { detail: "Invalid API Key" };

/** Which type goes with which code; the status is the one that an error of this code has come with. */
const TYPES: ReadonlyMap<string, readonly [status: number, type: string, message: string]> = new Map([
  ["1300", [429, "rate_limited", "Rate limit exceeded"]],
  ["1500", [400, "invalid_model", "Invalid model"]],
  [
    "3051",
    [400, "invalid_request_prompt", "Prompt is too large for model with 32768 maximum context length"],
  ],
  ["3210", [400, "invalid_request_prompt", "Too many inputs in request, split into more batches."]],
  ["3230", [400, "invalid_request_message_order", "Unexpected role"]],
  ["3280", [400, "invalid_function_call", "Tool call id must be a-z, A-Z, 0-9, with a length of 9."]],
  ["3505", [429, "service_tier_capacity_exceeded", "Service tier capacity exceeded for this model."]],
]);

function flat(status: number, code: string, message: string): object {
  const type = TYPES.get(code)?.[1] ?? (status < 500 ? "invalid_request_error" : "internal_server_error");
  return { object: "error", message, type, param: null, code, raw_status_code: status };
}

function invalid(type: string, param: string, msg: string): object {
  const detail = [{ type, loc: ["body", ...param.split(".").filter(Boolean)], msg }];
  return {
    object: "error",
    message: { detail },
    type: "invalid_request_error",
    param: null,
    code: null,
    raw_status_code: 422,
  };
}

function faultOf({ status: asked, code }: Fault): { status: number; body: object } {
  const known = code === undefined ? undefined : TYPES.get(code);
  if (known && code !== undefined) {
    const status = asked ?? known[0];
    return { status, body: flat(status, code, known[2]) };
  }
  const status = asked ?? (code === undefined ? 500 : 400);
  if (status === 401) return { status, body: INVALID_KEY };
  if (status === 422)
    return { status, body: { detail: [{ loc: ["body"], msg: "The request was refused." }] } };
  // What limits the requests stands before the API, and has no more to say than this.
  if (status === 429) return { status, body: { message: "Requests rate limit exceeded" } };
  const message = status < 500 ? "The request was refused." : "Service unavailable.";
  return { status, body: flat(status, code ?? "1000", message) };
}

function answer(status: number, body: object): Answer {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
