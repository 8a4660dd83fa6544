/**
 * What a failure of Bedrock's means: the exception's name first, and what it says
 * where one name stands for many things; the HTTP status only when there is no name.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Failure, FailureKind } from "../../core/failure.ts";
import { retryAfterMs } from "../../wire/retry_after.ts";
import { type Fields, fieldsIn, fieldsOf, wordsOf } from "../error_body.ts";
import { BY_STATUS, providerFailure } from "../failure.ts";

/**
 * In lower case and without `exception`; in a stream they begin with a small letter anyway.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html#API_runtime_ConverseStream_Errors
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
 */
const BY_NAME: ReadonlyMap<string, FailureKind> = new Map([
  ["throttling", "provider_rate_limited"],
  ["toomanyrequests", "provider_rate_limited"],
  ["servicequotaexceeded", "quota_exhausted"],
  ["modeltimeout", "provider_timeout"],
  ["modelnotready", "provider_overloaded"],
  ["serviceunavailable", "provider_overloaded"],
  ["internalserver", "provider_error"],
  ["internalfailure", "provider_error"],
  ["modelerror", "provider_error"],
  ["modelstreamerror", "provider_error"],
  ["validation", "provider_bad_request"],
  ["validationerror", "provider_bad_request"],
  ["serialization", "provider_bad_request"],
  ["accessdenied", "provider_permission"],
  ["notauthorized", "provider_permission"],
  ["optinrequired", "provider_permission"],
  ["resourcenotfound", "model_not_found"],
  ["expiredtoken", "provider_auth"],
  ["requestexpired", "provider_auth"],
  ["unrecognizedclient", "provider_auth"],
  ["invalidclienttokenid", "provider_auth"],
  ["invalidsignature", "provider_auth"],
  ["signaturedoesnotmatch", "provider_auth"],
  ["incompletesignature", "provider_auth"],
  ["missingauthenticationtoken", "provider_auth"],
]);

/** What one name says of several things, it says in words. */
const BY_WORDS: Readonly<Partial<Record<FailureKind, readonly (readonly [RegExp, FailureKind])[]>>> = {
  provider_bad_request: [
    [
      /\b(?:input|prompt|context)\b[^.]*(?:too long|exceed)|too many (?:input )?tokens|maximum context length/i,
      "context_too_long",
    ],
    [/model identifier is invalid/i, "model_not_found"],
    [/blocked by our content filters/i, "content_filtered"],
  ],
  provider_rate_limited: [[/per day/i, "quota_exhausted"]],
  // A wrong bearer token is denied as a right is.
  provider_permission: [[/api key|authentication failed|bearer token/i, "provider_auth"]],
};

export function classify(status: number, headers: IncomingHttpHeaders, body: string): Failure {
  const fields = fieldsIn(body);
  const [named = ""] = String(headers["x-amzn-errortype"] ?? "").split(":");
  return failureOf(status, named || nameIn(fields), fields, body, headers);
}

/** For an exception that stands where an event would, in the middle of a stream. */
export function classifyInStream(name: string, payload: unknown): Failure {
  return failureOf(200, name, fieldsOf(payload), JSON.stringify(payload), {});
}

function failureOf(
  status: number,
  name: string,
  { message, Message, originalMessage, originalStatusCode }: Fields,
  raw: string,
  headers: IncomingHttpHeaders,
): Failure {
  const words = wordsOf(message) || wordsOf(Message) || wordsOf(originalMessage);
  return providerFailure({
    kind: kindOf(status, name, words),
    status,
    message: words,
    facts: {
      exception: name,
      "original status": originalStatusCode === undefined ? undefined : String(originalStatusCode),
      "request id": headers["x-amzn-requestid"]?.toString(),
    },
    raw,
    retryAfterMs: retryAfterMs(headers),
  });
}

function kindOf(status: number, name: string, words: string): FailureKind {
  const clientError = status >= 400 && status < 500 ? "provider_bad_request" : "provider_error";
  const kind =
    BY_NAME.get(name.toLowerCase().replace(/exception$/, "")) ?? BY_STATUS.get(status) ?? clientError;
  return BY_WORDS[kind]?.find(([said]) => said.test(words))?.[1] ?? kind;
}

/** Older services of AWS name it in the body, behind the namespace. */
function nameIn({ __type: type }: Fields): string {
  return wordsOf(type).split("#").at(-1) ?? "";
}
