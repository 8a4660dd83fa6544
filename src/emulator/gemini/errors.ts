/** Errors as Google spells them: `google.rpc.Status` with its details, and which code goes with which HTTP status. */
import type { Answer } from "../exchange.ts";
import type { Fault } from "../fault.ts";

/** Gemini's own API, or Vertex AI: they speak alike and err in other words. */
export type Api = "gemini" | "vertex";

/** A `google.rpc.Status` in its wrapping. */
export interface WireError {
  readonly error: {
    readonly code: number;
    readonly message: string;
    readonly status: string;
    readonly details?: readonly object[];
  };
}

/** A request that is answered by an error. */
export class Refusal extends Error {
  readonly body: WireError;

  constructor(message: string, code = 400, status = "INVALID_ARGUMENT", details: readonly object[] = []) {
    super(message);
    this.body = { error: { code, message, status, ...(details.length > 0 ? { details } : {}) } };
  }
}

/** @param asList as for a stream without `alt=sse` */
export function errorAnswer(body: WireError, asList = false): Answer {
  return {
    status: body.error.code,
    headers: { "content-type": "application/json; charset=UTF-8" },
    body: pretty(asList ? [body] : body),
  };
}

/** Google's JSON is indented, and ends with a line feed. */
export function pretty(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** The error that a fault asks for, as it is also sent inside a stream. A code is a canonical one or a reason. */
export function faultError(fault: Fault): WireError {
  const { code = "", retryAfterSeconds } = fault;
  const known = REASONS.get(code);
  const status = fault.status ?? known?.[0] ?? STATUS_OF_CODE.get(code) ?? (code ? 400 : 500);
  const canonical = STATUS_OF_CODE.has(code) ? code : (known?.[1] ?? codeOf(status));
  const details: object[] = known ? [...known[3]] : [];
  if (status === 429 && details.length === 0) details.push(quotaFailure("PerMinute"));
  if (retryAfterSeconds !== undefined)
    details.push({ "@type": `${RPC}RetryInfo`, retryDelay: `${retryAfterSeconds}s` });
  const message = known?.[2] ?? MESSAGES.get(canonical) ?? "The request was refused.";
  return { error: { code: status, message, status: canonical, ...(details.length > 0 ? { details } : {}) } };
}

export function unknownModel(api: Api, model: string, method: string): Refusal {
  return api === "vertex"
    ? new Refusal(`Publisher Model \`${model}\` not found.`, 404, "NOT_FOUND")
    : new Refusal(
        `models/${model} is not found for API version v1beta, or is not supported for ${method}. Call ModelService.ListModels to see the list of available models and their supported methods.`,
        404,
        "NOT_FOUND",
      );
}

export function wrongKey(api: Api, presented: string | undefined): Refusal {
  if (api === "vertex") {
    return new Refusal(
      "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
      401,
      "UNAUTHENTICATED",
      [errorInfo("ACCESS_TOKEN_TYPE_UNSUPPORTED")],
    );
  }
  if (!presented) {
    return new Refusal(
      "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
      403,
      "PERMISSION_DENIED",
    );
  }
  return new Refusal("API key not valid. Please pass a valid API key.", 400, "INVALID_ARGUMENT", [
    errorInfo("API_KEY_INVALID"),
  ]);
}

const RPC = "type.googleapis.com/google.rpc.";

function errorInfo(reason: string): object {
  return { "@type": `${RPC}ErrorInfo`, reason, domain: "googleapis.com" };
}

function quotaFailure(per: "PerMinute" | "PerDay"): object {
  return {
    "@type": `${RPC}QuotaFailure`,
    violations: [
      {
        quotaMetric: "generativelanguage.googleapis.com/generate_content_paid_tier_requests",
        quotaId: `GenerateRequests${per}PerProjectPerModel`,
        quotaValue: "1000",
      },
    ],
  };
}

/** `google.rpc.Code` by its HTTP status; of those that share one, the first is the usual. */
const CODES: readonly (readonly [status: number, code: string])[] = [
  [400, "INVALID_ARGUMENT"],
  [400, "FAILED_PRECONDITION"],
  [401, "UNAUTHENTICATED"],
  [403, "PERMISSION_DENIED"],
  [404, "NOT_FOUND"],
  [429, "RESOURCE_EXHAUSTED"],
  [499, "CANCELLED"],
  [500, "INTERNAL"],
  [503, "UNAVAILABLE"],
  [504, "DEADLINE_EXCEEDED"],
];

const STATUS_OF_CODE: ReadonlyMap<string, number> = new Map(CODES.map(([status, code]) => [code, status]));

function codeOf(status: number): string {
  return CODES.find(([known]) => known === status)?.[1] ?? (status < 500 ? "INVALID_ARGUMENT" : "INTERNAL");
}

const MESSAGES: ReadonlyMap<string, string> = new Map([
  ["RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details."],
  ["INTERNAL", "An internal error has occurred. Please retry or report in the troubleshooting guide."],
  ["UNAVAILABLE", "The model is overloaded. Please try again later."],
  ["DEADLINE_EXCEEDED", "The service was unable to finish processing within the deadline."],
  ["UNAUTHENTICATED", "Request had invalid authentication credentials."],
  ["PERMISSION_DENIED", "The caller does not have permission."],
  ["NOT_FOUND", "The model is not found."],
  ["CANCELLED", "The operation was cancelled."],
]);

/** What a directive's code may name beside the canonical codes. */
const REASONS: ReadonlyMap<
  string,
  readonly [status: number, code: string, message: string, details: readonly object[]]
> = new Map([
  [
    "API_KEY_INVALID",
    [
      400,
      "INVALID_ARGUMENT",
      "API key not valid. Please pass a valid API key.",
      [errorInfo("API_KEY_INVALID")],
    ],
  ],
  [
    "quota_per_day",
    [
      429,
      "RESOURCE_EXHAUSTED",
      "You exceeded your current quota, please check your plan and billing details.",
      [quotaFailure("PerDay")],
    ],
  ],
  [
    "context_length_exceeded",
    [
      400,
      "INVALID_ARGUMENT",
      "The input token count (1250074) exceeds the maximum number of tokens allowed (1048576).",
      [],
    ],
  ],
]);
