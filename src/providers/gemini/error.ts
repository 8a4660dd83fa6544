/** Reads Google's `google.rpc.Status` out of a body, in any of the wrappings that it comes in. */
import { type Fields, fieldsIn, fieldsOf, wordsOf } from "../error_body.ts";
import { isObject } from "../malformed.ts";

/** Fields are empty when the provider does not say. */
export interface WireError {
  readonly message: string;
  /** The canonical code, such as `RESOURCE_EXHAUSTED`. */
  readonly status: string;
  /** The HTTP status as the body has it. */
  readonly code: number | undefined;
  /** `google.rpc.ErrorInfo.reason`. */
  readonly reason: string;
  /** The quotas that are used up, by their ids. */
  readonly quotas: readonly string[];
  /** `google.rpc.RetryInfo.retryDelay`. */
  readonly retryAfterMs: number | undefined;
  /** The body. */
  readonly raw: string;
}

/** A member of `details`, whichever it is. */
interface Detail {
  readonly reason?: unknown;
  readonly metadata?: { readonly quota_limit?: unknown };
  readonly violations?: unknown;
  readonly retryDelay?: unknown;
}

/** Never fails: what is not JSON, such as a proxy's HTML page, has no fields but is kept raw. */
export function readError(body: string): WireError {
  return errorOf(fieldsIn(body), body);
}

/** @param outer a parsed body, or the element of a stream */
export function errorOf(outer: Fields, raw: string): WireError {
  const { message, status, code, details } = isObject(outer.error) ? fieldsOf(outer.error) : outer;
  const known: readonly Detail[] = Array.isArray(details) ? details.filter(isObject) : [];
  const words = wordsOf(message) || wordsOf(outer.error);
  return {
    message: words,
    status: wordsOf(status),
    code: typeof code === "number" ? code : undefined,
    reason: known.map(({ reason }) => wordsOf(reason)).find(Boolean) ?? "",
    quotas: known.flatMap(quotasOf),
    retryAfterMs:
      known.map(({ retryDelay }) => durationMs(retryDelay)).find((delay) => delay !== undefined) ??
      toldDelayMs(words),
    raw,
  };
}

function quotasOf({ violations, metadata }: Detail): string[] {
  const violated: readonly { readonly quotaId?: unknown }[] = Array.isArray(violations)
    ? violations.filter(isObject)
    : [];
  return [...violated.map(({ quotaId }) => quotaId), metadata?.quota_limit].map(wordsOf).filter(Boolean);
}

/** A `google.protobuf.Duration`: `48s` in JSON, an object where a proxy did not know that. */
function durationMs(delay: unknown): number | undefined {
  if (typeof delay === "string") return secondsMs(/^(\d+(?:\.\d+)?)s$/.exec(delay)?.[1]);
  if (!isObject(delay)) return undefined;
  const { seconds = 0, nanos = 0 }: { seconds?: unknown; nanos?: unknown } = delay;
  const ms = Number(seconds) * 1000 + Number(nanos) / 1e6;
  return Number.isFinite(ms) && ms >= 0 ? Math.ceil(ms) : undefined;
}

/** Where the delay stands in the words alone. */
function toldDelayMs(message: string): number | undefined {
  return secondsMs(/retry in (\d{1,7}(?:\.\d{1,12})?)s/i.exec(message)?.[1]);
}

function secondsMs(seconds: string | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.ceil(Number(seconds) * 1000);
}
