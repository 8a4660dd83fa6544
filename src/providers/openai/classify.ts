/**
 * What a failure of an OpenAI-like provider means: its own code or type first,
 * the HTTP status only when those say nothing.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Failure, FailureKind } from "../../core/failure.ts";
import { retryAfterMs } from "../../wire/retry_after.ts";
import { BY_STATUS, providerFailure } from "../failure.ts";
import { readError, type WireError } from "./error.ts";
import { isBroken } from "./finish.ts";
import { untilLimitsReset } from "./limits.ts";

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
  // Groq, with a status of its own, 498, where its flex tier is full.
  ["capacity_exceeded", "provider_overloaded"],
  // Mistral. The last comes with 429 too, but says that its backend is full, and not that a limit is reached.
  ["invalid_model", "model_not_found"],
  ["rate_limited", "provider_rate_limited"],
  ["service_tier_capacity_exceeded", "provider_overloaded"],
]);

const REQUEST_IDS = ["x-request-id", "apim-request-id", "mistral-correlation-id"];

/** xAI says it with 429, and with 403. */
const USED_UP = /(?:used all available|out of|any) credits|spending limit/i;

/** What some say only in words, under a status or a name that says something else. */
const BY_WORDS: Readonly<Partial<Record<FailureKind, readonly (readonly [RegExp, FailureKind])[]>>> = {
  provider_bad_request: [
    // vLLM and others; the last is xAI.
    [
      /maximum context length|context length exceeded|exceeds the (available )?context|maximum prompt length/i,
      "context_too_long",
    ],
    // Together, in two ways, and whoever serves by SGLang or TGI; Groq.
    [
      /longer than the model's context|`max_new_tokens` must be <=|reduce the length of the messages/i,
      "context_too_long",
    ],
    // OpenRouter, and DeepSeek, with 400.
    [/is not a valid model id|model not exist/i, "model_not_found"],
    // xAI, with 400.
    [/incorrect api key/i, "provider_auth"],
  ],
  provider_rate_limited: [
    // Mistral, from before it had the name.
    [/capacity exceeded/i, "provider_overloaded"],
    [USED_UP, "quota_exhausted"],
  ],
  provider_permission: [[USED_UP, "quota_exhausted"]],
};

/**
 * The code of a rate limit for what is larger than the whole limit, which no wait cures: "Request too large for gpt-4o in
 * organization org-… on tokens per min (TPM): Limit 30000, Requested 30601. The input or output tokens must be reduced".
 */
const TOO_LARGE = /^request too large for /i;

/** Nobody's business but the operator's. */
const ORGANIZATION = / in organization \S+/;

/** @param retryMs when to try again, where a provider says it in a way of its own */
export function classify(
  status: number,
  headers: IncomingHttpHeaders,
  body: string,
  retryMs = retryAfterMs(headers),
): Failure {
  return failureOf(status, readError(body), headers, retryMs);
}

/** The failure where a model broke off one of the choices; undefined where it broke off none. */
export function brokenOff(choices: readonly { readonly finish_reason?: unknown }[]): Failure | undefined {
  const broken = choices.find(({ finish_reason }) => isBroken(finish_reason));
  return broken && failureOf(200, readError(`finish_reason ${broken.finish_reason}`), {}, undefined);
}

/** The failure that a reply with status 200 holds instead of an answer, or in the middle of it. */
export function classifyInReply(reply: object): Failure | undefined {
  const { error, object }: { readonly error?: unknown; readonly object?: unknown } = reply;
  if (!error && object !== "error") return undefined;
  return failureOf(200, readError(JSON.stringify(reply)), {}, undefined);
}

function failureOf(
  status: number,
  error: WireError,
  headers: IncomingHttpHeaders,
  retryMs: number | undefined,
): Failure {
  const kind = kindOf(status >= 400 ? status : (error.status ?? status), error);
  return providerFailure({
    kind,
    status,
    message: kind === "context_too_long" ? error.message.replace(ORGANIZATION, "") : error.message,
    facts: {
      type: error.type,
      code: error.code,
      "request id": REQUEST_IDS.map((name) => headers[name])
        .find(Boolean)
        ?.toString(),
    },
    raw: error.raw,
    retryAfterMs:
      retryMs ?? (kind === "provider_rate_limited" ? untilLimitsReset(headers, error.message) : undefined),
  });
}

function kindOf(status: number, error: WireError): FailureKind {
  for (const name of [error.code, error.type, error.innerCode]) {
    const kind = BY_NAME.get(name.toLowerCase());
    if (kind === "provider_rate_limited" && TOO_LARGE.test(error.message)) return "context_too_long";
    if (kind) return kind;
  }
  const kind =
    BY_STATUS.get(status) ?? (isBadRequest(status, error) ? "provider_bad_request" : "provider_error");
  return BY_WORDS[kind]?.find(([said]) => said.test(error.message))?.[1] ?? kind;
}

/** The generic type counts only where there is no status, in the middle of a stream. */
function isBadRequest(status: number, error: WireError): boolean {
  return (status >= 400 && status < 500) || (status < 400 && error.type === "invalid_request_error");
}
