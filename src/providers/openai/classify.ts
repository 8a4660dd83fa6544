/**
 * What a failure of an OpenAI-like provider means: its own code or type first,
 * the HTTP status only when those say nothing.
 */
import type { IncomingHttpHeaders } from "node:http";
import { Failure, type FailureKind } from "../../core/failure.ts";
import { readError, type WireError } from "./error.ts";
import { retryAfterMs } from "./retry_after.ts";

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

const BY_STATUS: ReadonlyMap<number, FailureKind> = new Map([
  [401, "provider_auth"],
  // DeepSeek and OpenRouter: no money left.
  [402, "quota_exhausted"],
  [403, "provider_permission"],
  [404, "model_not_found"],
  [408, "provider_timeout"],
  [429, "provider_rate_limited"],
  [503, "provider_overloaded"],
  [504, "provider_timeout"],
  [529, "provider_overloaded"],
]);

/** Said to the caller where the provider's own words are none of its business, or are missing. */
const NEUTRAL: Readonly<Partial<Record<FailureKind, string>>> = {
  provider_bad_request: "the provider refused the request as invalid",
  context_too_long: "the conversation is too long for the model",
  content_filtered: "the provider's content filter refused the request",
  model_not_found: "the provider does not have this model",
  provider_auth: "the provider refused the gateway's credentials",
  provider_permission: "the provider does not permit this to the gateway",
  provider_rate_limited: "the provider limits the rate of the gateway's requests",
  quota_exhausted: "the gateway's quota at the provider is used up",
  provider_overloaded: "the provider is overloaded",
  provider_timeout: "the provider took too long",
};

/** What the caller did, and so must be told in the provider's words. */
const CALLERS: ReadonlySet<FailureKind> = new Set([
  "provider_bad_request",
  "context_too_long",
  "content_filtered",
  "model_not_found",
]);

/** vLLM and others say it only in words. */
const CONTEXT_TOO_LONG = /maximum context length|context length exceeded|exceeds the (available )?context/i;

const MAX_MESSAGE_CHARS = 2000;

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
  const kind = kindOf(status >= 400 ? status : (error.status ?? status), error);
  const neutral = NEUTRAL[kind] ?? "the provider failed";
  const message = CALLERS.has(kind) ? error.message.slice(0, MAX_MESSAGE_CHARS) : "";
  const retryAfter = retryAfterMs(headers);
  return new Failure(kind, message || neutral, {
    operator: operatorText(status, error, headers),
    accepted: status < 400,
    ...(retryAfter === undefined ? {} : { retryAfterMs: retryAfter }),
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

function operatorText(status: number, error: WireError, headers: IncomingHttpHeaders): string {
  const facts = [`HTTP ${status}`];
  if (error.type) facts.push(`type ${error.type}`);
  if (error.code) facts.push(`code ${error.code}`);
  const requestId = headers["x-request-id"] ?? headers["apim-request-id"];
  if (requestId) facts.push(`request id ${requestId}`);
  return `${facts.join(", ")}: ${(error.message || error.raw).slice(0, MAX_MESSAGE_CHARS)}`;
}
