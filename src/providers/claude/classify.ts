/**
 * What a failure of Anthropic means: the code in its details first, then its
 * type, and the HTTP status only when those say nothing.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { ErrorType } from "@anthropic-ai/sdk/resources";
import type { Failure, FailureKind } from "../../core/failure.ts";
import { retryAfterMs } from "../../wire/retry_after.ts";
import { BY_STATUS, providerFailure } from "../failure.ts";
import { readError, type WireError } from "./error.ts";
import { untilLimitsReset } from "./limits.ts";

/** https://platform.claude.com/docs/en/api/errors: some come under a type that says something else. */
const BY_CODE: ReadonlyMap<string, FailureKind> = new Map([
  ["enforced_spend_limit_reached", "quota_exhausted"],
  ["contract_spend_limit_reached", "quota_exhausted"],
  ["linked_organization_spend_limit_reached", "quota_exhausted"],
  ["linked_organization_billing_unavailable", "quota_exhausted"],
  ["ramp_limit_exceeded", "provider_rate_limited"],
  ["organization_on_hold", "provider_permission"],
  ["cmek_key_disabled", "provider_permission"],
  ["cmek_key_network_blocked", "provider_permission"],
]);

/** `request_too_large` is not among the SDK's types, but is sent. */
const BY_TYPE: ReadonlyMap<string, FailureKind> = new Map<ErrorType | "request_too_large", FailureKind>([
  ["authentication_error", "provider_auth"],
  ["billing_error", "quota_exhausted"],
  ["permission_error", "provider_permission"],
  ["not_found_error", "model_not_found"],
  ["request_too_large", "provider_bad_request"],
  ["rate_limit_error", "provider_rate_limited"],
  ["timeout_error", "provider_timeout"],
  ["overloaded_error", "provider_overloaded"],
  ["api_error", "provider_error"],
  ["conflict_error", "provider_error"],
  ["invalid_request_error", "provider_bad_request"],
]);

/** Told by words alone, under a type that has many meanings. */
const BY_MESSAGE: readonly (readonly [RegExp, FailureKind])[] = [
  [/prompt is too long|exceeds? (the )?(model's )?context/i, "context_too_long"],
  [/content filtering policy/i, "content_filtered"],
  [/credit balance is too low|API usage limits/i, "quota_exhausted"],
  // The key's own.
  [/organization has been disabled/i, "provider_auth"],
];

export function classify(status: number, headers: IncomingHttpHeaders, body: string): Failure {
  return failureOf(status, readError(body), headers);
}

/** The failure that a reply with status 200 holds instead of an answer, or in the middle of it. */
export function classifyInReply(reply: object): Failure | undefined {
  const { type, error }: { readonly type?: unknown; readonly error?: unknown } = reply;
  if (!error && type !== "error") return undefined;
  return failureOf(200, readError(JSON.stringify(reply)), {});
}

function failureOf(status: number, error: WireError, headers: IncomingHttpHeaders): Failure {
  const kind = kindOf(status, error, headers);
  const told = retryAfterMs(headers);
  return providerFailure({
    kind,
    status,
    message: error.message,
    facts: {
      type: error.type,
      code: error.code,
      "request id": error.requestId || headers["request-id"]?.toString(),
    },
    raw: error.raw,
    retryAfterMs: told ?? (kind === "provider_rate_limited" ? untilLimitsReset(headers) : undefined),
  });
}

function kindOf(status: number, error: WireError, headers: IncomingHttpHeaders): FailureKind {
  const kind = BY_CODE.get(error.code) ?? BY_TYPE.get(error.type) ?? BY_STATUS.get(status) ?? byClass(status);
  if (kind === "provider_rate_limited" && isSpent(error, headers)) return "quota_exhausted";
  if (kind !== "provider_bad_request") return kind;
  return BY_MESSAGE.find(([words]) => words.test(error.message))?.[1] ?? kind;
}

function byClass(status: number): FailureKind {
  return status >= 400 && status < 500 ? "provider_bad_request" : "provider_error";
}

/**
 * A limit of money comes under the type of a limit of rates. It does not say
 * when to try again, as that is next month at the earliest.
 */
function isSpent(error: WireError, headers: IncomingHttpHeaders): boolean {
  if (error.code || headers["retry-after"] !== undefined) return false;
  return (
    headers["x-should-retry"] === "false" ||
    /\b(spend(ing)?|usage|credit)\b.{0,40}\b(limits?|cap|threshold|balance)\b/i.test(error.message)
  );
}
