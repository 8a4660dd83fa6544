/** Errors as Anthropic spells them: the body's shape, texts and types, and which status goes with which. */
import type { Answer } from "../exchange.ts";
import type { Fault } from "../fault.ts";
import { retryAfterHeaders } from "../retry-after.ts";

/** A request that is answered by an error. */
export class Refusal extends Error {
  readonly status: number;
  readonly error: WireError;

  constructor(message: string, status = 400, type = "invalid_request_error") {
    super(message);
    this.status = status;
    this.error = { type, message };
  }
}

export interface WireError {
  readonly details?: { readonly error_code: string };
  readonly type: string;
  readonly message: string;
}

export function refusalAnswer({ status, error }: Refusal, requestId: string): Answer {
  return errorAnswer(status, error, requestId);
}

/** The HTTP answer of a fault. */
export function faultAnswer(fault: Fault, requestId: string): Answer {
  const answer = errorAnswer(statusOf(fault), faultError(fault), requestId);
  return { ...answer, headers: { ...answer.headers, ...retryAfterHeaders(fault) } };
}

/** The body of an error, as it is also sent inside a stream. */
export function errorBody(error: WireError, requestId: string): object {
  return { type: "error", error, request_id: requestId };
}

/** The error itself. A code is a type, or stands in the details of the one that goes with the status. */
export function faultError(fault: Fault): WireError {
  const { code } = fault;
  const status = statusOf(fault);
  const type = TYPE_OF_STATUS.get(status) ?? (status < 500 ? "invalid_request_error" : "api_error");
  if (code === undefined) return { type, message: messageOf(type) };
  if (STATUS_OF_TYPE.has(code)) return { type: code, message: messageOf(code) };
  const [, told, message] = CODES.get(code) ?? [0, type, messageOf(type)];
  return { details: { error_code: code }, type: told, message };
}

export function unknownModel(model: string): Refusal {
  return new Refusal(`model: ${model}`, 404, "not_found_error");
}

export function wrongKey(presented: string | undefined): Refusal {
  return new Refusal(
    presented ? "invalid x-api-key" : "x-api-key header is required",
    401,
    "authentication_error",
  );
}

function errorAnswer(status: number, error: WireError, requestId: string): Answer {
  const retry = status === 429 || status >= 500;
  return {
    status,
    headers: {
      "content-type": "application/json",
      "x-should-retry": String(retry && error.details === undefined),
    },
    body: JSON.stringify(errorBody(error, requestId)),
  };
}

/** Asked for, or the one that goes with the code; Anthropic's usual trouble is to be overloaded. */
function statusOf({ status, code = "overloaded_error" }: Fault): number {
  return status ?? CODES.get(code)?.[0] ?? STATUS_OF_TYPE.get(code) ?? 400;
}

function messageOf(type: string): string {
  return MESSAGES.get(type) ?? "The request was refused.";
}

const STATUS_OF_TYPE: ReadonlyMap<string, number> = new Map([
  ["invalid_request_error", 400],
  ["authentication_error", 401],
  ["billing_error", 402],
  ["permission_error", 403],
  ["not_found_error", 404],
  ["request_too_large", 413],
  ["rate_limit_error", 429],
  ["api_error", 500],
  ["timeout_error", 504],
  ["overloaded_error", 529],
]);

const TYPE_OF_STATUS: ReadonlyMap<number, string> = new Map(
  [...STATUS_OF_TYPE].map(([type, status]) => [status, type]),
);

const MESSAGES: ReadonlyMap<string, string> = new Map([
  ["authentication_error", "invalid x-api-key"],
  ["billing_error", "There is an issue with your organization's billing."],
  ["permission_error", "Your API key does not have permission to use the specified resource."],
  ["not_found_error", "model: unknown"],
  ["request_too_large", "Request exceeds the maximum size"],
  ["rate_limit_error", "This request would exceed your organization's rate limit of 50 requests per minute."],
  ["api_error", "Internal server error"],
  ["timeout_error", "The request timed out."],
  ["overloaded_error", "Overloaded"],
]);

/** Reasons with a status, a type and words of their own. */
const CODES: ReadonlyMap<string, readonly [status: number, type: string, message: string]> = new Map([
  [
    "enforced_spend_limit_reached",
    [429, "rate_limit_error", "Your organization has reached the monthly spend limit of its tier."],
  ],
  ["ramp_limit_exceeded", [429, "rate_limit_error", "Your usage is growing too fast."]],
  ["prompt_too_long", [400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"]],
]);
