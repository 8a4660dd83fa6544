/**
 * What a failure of Google's means: the reason in its details first, then the
 * canonical code, and the HTTP status only when those say nothing.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Failure, FailureKind } from "../../core/failure.ts";
import { retryAfterMs } from "../../wire/retry_after.ts";
import { fieldsOf } from "../error_body.ts";
import { BY_STATUS, providerFailure } from "../failure.ts";
import { errorOf, readError, type WireError } from "./error.ts";

/** https://docs.cloud.google.com/apis/design/errors and `google.api.ErrorReason`. */
const BY_REASON: ReadonlyMap<string, FailureKind> = new Map([
  // A wrong key is a 400 INVALID_ARGUMENT.
  ["API_KEY_INVALID", "provider_auth"],
  ["CREDENTIALS_MISSING", "provider_auth"],
  ["ACCESS_TOKEN_EXPIRED", "provider_auth"],
  ["ACCESS_TOKEN_SCOPE_INSUFFICIENT", "provider_auth"],
  ["ACCESS_TOKEN_TYPE_UNSUPPORTED", "provider_auth"],
  ["ACCOUNT_STATE_INVALID", "provider_auth"],
  ["API_KEY_SERVICE_BLOCKED", "provider_permission"],
  ["API_KEY_HTTP_REFERRER_BLOCKED", "provider_permission"],
  ["API_KEY_IP_ADDRESS_BLOCKED", "provider_permission"],
  ["SERVICE_DISABLED", "provider_permission"],
  ["CONSUMER_INVALID", "provider_permission"],
  ["CONSUMER_SUSPENDED", "provider_permission"],
  ["IAM_PERMISSION_DENIED", "provider_permission"],
  ["BILLING_DISABLED", "quota_exhausted"],
  ["RESOURCE_QUOTA_EXCEEDED", "quota_exhausted"],
]);

/** `google.rpc.Code`. https://ai.google.dev/gemini-api/docs/troubleshooting */
const BY_CODE: ReadonlyMap<string, FailureKind> = new Map([
  ["INVALID_ARGUMENT", "provider_bad_request"],
  ["OUT_OF_RANGE", "provider_bad_request"],
  // Gemini: the country is not served, or the free tier is not offered there.
  ["FAILED_PRECONDITION", "provider_permission"],
  ["UNAUTHENTICATED", "provider_auth"],
  ["PERMISSION_DENIED", "provider_permission"],
  ["NOT_FOUND", "model_not_found"],
  ["RESOURCE_EXHAUSTED", "provider_rate_limited"],
  ["UNAVAILABLE", "provider_overloaded"],
  ["DEADLINE_EXCEEDED", "provider_timeout"],
  ["CANCELLED", "provider_error"],
  ["INTERNAL", "provider_error"],
  ["UNKNOWN", "provider_error"],
]);

/** The ways in which Gemini and Vertex AI say it; there is no reason for it. */
const CONTEXT_TOO_LONG =
  /input token count.{0,60}(exceeds the maximum|only supports up to)|exceeds the maximum number of tokens/i;
/** Gemini, for a request without a key, and for a key that it found in public. */
const NO_CREDENTIALS = /unregistered callers|reported as leaked/i;
/** What comes back at the earliest tomorrow, or once somebody has paid. */
const USED_UP = /per ?day|prepayment credits are depleted|spending cap/i;

export function classify(status: number, headers: IncomingHttpHeaders, body: string): Failure {
  return failureOf(status, readError(body), headers);
}

/** The failure that stands in a reply with status 200, in place of an answer or in the middle of one. */
export function classifyInReply(reply: object): Failure | undefined {
  const { error }: { readonly error?: unknown } = reply;
  return error ? failureOf(200, errorOf(fieldsOf(reply), JSON.stringify(reply)), {}) : undefined;
}

/** An error that Vertex AI writes into a running stream as bare JSON; undefined for what is none. */
export function classifyStray(text: string): Failure | undefined {
  if (!text.includes('"error"')) return undefined;
  return failureOf(200, readError(text), {});
}

function failureOf(status: number, error: WireError, headers: IncomingHttpHeaders): Failure {
  return providerFailure({
    kind: kindOf(status >= 400 ? status : (error.code ?? status), error),
    status,
    message: error.message,
    facts: {
      status: error.status,
      code: error.code === undefined || error.code === status ? undefined : String(error.code),
      reason: error.reason,
      quota: error.quotas.join(" "),
    },
    raw: error.raw,
    retryAfterMs: error.retryAfterMs ?? retryAfterMs(headers),
  });
}

function kindOf(status: number, error: WireError): FailureKind {
  const byReason = BY_REASON.get(error.reason);
  if (byReason) return byReason;
  const kind = BY_CODE.get(error.status) ?? BY_STATUS.get(status) ?? usual(status);
  const { message, quotas } = error;
  if (kind === "provider_bad_request" && CONTEXT_TOO_LONG.test(message)) return "context_too_long";
  if (kind === "provider_permission" && NO_CREDENTIALS.test(message)) return "provider_auth";
  if (kind === "provider_rate_limited" && USED_UP.test(`${quotas.join(" ")} ${message}`)) {
    return "quota_exhausted";
  }
  return kind;
}

function usual(status: number): FailureKind {
  return status >= 400 && status < 500 ? "provider_bad_request" : "provider_error";
}
