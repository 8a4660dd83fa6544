/**
 * What a failure of an OpenAI-like provider means: its own code or type first,
 * the HTTP status only when those say nothing.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Failure, FailureKind } from "../../core/failure.ts";
import { BY_STATUS, providerFailure } from "../failure.ts";
import { retryAfterMs } from "../retry_after.ts";
import { readError, type WireError } from "./error.ts";

/** In lower case. https://platform.openai.com/docs/guides/error-codes, and Azure's own names. */
const BY_NAME: ReadonlyMap<string, FailureKind> = new Map([
  ["insufficient_quota", "quota_exhausted"],
  ["billing_hard_limit_reached", "quota_exhausted"],
  ["billing_not_active", "quota_exhausted"],
  ["context_length_exceeded", "context_too_long"],
  // llama.cpp
  ["exceed_context_size_error", "context_too_long"],
  ["content_filter", "content_filtered"],
  ["content_policy_violation", "content_filtered"],
  ["responsibleaipolicyviolation", "content_filtered"],
  ["invalid_api_key", "provider_auth"],
  ["authentication_error", "provider_auth"],
  ["account_deactivated", "provider_auth"],
  ["model_not_found", "model_not_found"],
  ["deploymentnotfound", "model_not_found"],
  ["rate_limit_exceeded", "provider_rate_limited"],
  ["ratelimitreached", "provider_rate_limited"],
  ["overloaded_error", "provider_overloaded"],
]);

/** vLLM and others say it only in words. */
const CONTEXT_TOO_LONG = /maximum context length|context length exceeded|exceeds the (available )?context/i;

export function classify(status: number, headers: IncomingHttpHeaders, body: string): Failure {
  return failureOf(status, readError(body), headers);
}

/** The failure that a reply with status 200 holds instead of an answer, or in the middle of it. */
export function classifyInReply(reply: object): Failure | undefined {
  const { error, object }: { readonly error?: unknown; readonly object?: unknown } = reply;
  if (!error && object !== "error") return undefined;
  return failureOf(200, readError(JSON.stringify(reply)), {});
}

function failureOf(status: number, error: WireError, headers: IncomingHttpHeaders): Failure {
  return providerFailure({
    kind: kindOf(status >= 400 ? status : (error.status ?? status), error),
    status,
    message: error.message,
    facts: {
      type: error.type,
      code: error.code,
      "request id": (headers["x-request-id"] ?? headers["apim-request-id"])?.toString(),
    },
    raw: error.raw,
    retryAfterMs: retryAfterMs(headers),
  });
}

function kindOf(status: number, error: WireError): FailureKind {
  for (const name of [error.code, error.type, error.innerCode]) {
    const kind = BY_NAME.get(name.toLowerCase());
    if (kind) return kind;
  }
  const kind =
    BY_STATUS.get(status) ?? (isBadRequest(status, error) ? "provider_bad_request" : "provider_error");
  return kind === "provider_bad_request" && CONTEXT_TOO_LONG.test(error.message) ? "context_too_long" : kind;
}

/** The generic type counts only where there is no status, in the middle of a stream. */
function isBadRequest(status: number, error: WireError): boolean {
  return (status >= 400 && status < 500) || (status < 400 && error.type === "invalid_request_error");
}
