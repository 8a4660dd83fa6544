/** A failure as a provider told it: what of that the caller reads, and what the operator. Kinds are decided elsewhere. */
import { Failure, type FailureKind } from "../core/failure.ts";

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

const MAX_MESSAGE_CHARS = 2000;

/** Who says more has made it up, and no timer and no header bears a number without end. */
const MAX_RETRY_AFTER_MS = 365 * 24 * 3_600_000;

/** What a status says by itself, where a provider's own words say nothing. */
export const BY_STATUS: ReadonlyMap<number, FailureKind> = new Map([
  [401, "provider_auth"],
  // No money left.
  [402, "quota_exhausted"],
  [403, "provider_permission"],
  [404, "model_not_found"],
  [408, "provider_timeout"],
  [429, "provider_rate_limited"],
  [503, "provider_overloaded"],
  [504, "provider_timeout"],
  [529, "provider_overloaded"],
]);

export interface Told {
  readonly kind: FailureKind;
  /** The reply's own; under 300 the failure came inside of a reply that the provider had accepted. */
  readonly status: number;
  /** The provider's words; empty when it has none. */
  readonly message: string;
  /** What else the operator should know, by its name; what is empty is left out. */
  readonly facts: Readonly<Record<string, string | undefined>>;
  /** The body, for the operator where there is no message. */
  readonly raw: string;
  readonly retryAfterMs: number | undefined;
}

export function providerFailure({ kind, status, message, facts, raw, retryAfterMs }: Told): Failure {
  const known = Object.entries(facts).flatMap(([name, value]) => (value ? [`${name} ${value}`] : []));
  const operator = `${[`HTTP ${status}`, ...known].join(", ")}: ${(message || raw).slice(0, MAX_MESSAGE_CHARS)}`;
  const words = CALLERS.has(kind) ? message.slice(0, MAX_MESSAGE_CHARS) : "";
  return new Failure(kind, words || (NEUTRAL[kind] ?? "the provider failed"), {
    operator,
    accepted: status < 300,
    ...(retryAfterMs !== undefined && { retryAfterMs: Math.min(retryAfterMs, MAX_RETRY_AFTER_MS) }),
  });
}
