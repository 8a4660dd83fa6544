/** When OpenAI's rate limits let a call through again, where no `retry-after` says it. */
import type { IncomingHttpHeaders } from "node:http";

const KINDS = ["requests", "tokens"] as const;

const UNITS_MS: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
};

/** A duration as Go writes it: `88ms`, `1s`, `6m0s`, `1h2m3.5s`. */
const DURATION = "(?:\\d+(?:\\.\\d+)?(?:ms|[dhms]))+";
const WHOLE = new RegExp(`^${DURATION}$`);
const IN_WORDS = new RegExp(`try again in (${DURATION})`, "i");

/** Beyond it, a text is no duration. */
const MAX_CHARS = 40;

/**
 * By the message, which says how long this call has to wait, or else until the last of those limits is full again that
 * are used up: that is the longest that it can take.
 * https://platform.openai.com/docs/guides/rate-limits
 *
 * @returns undefined when neither says it
 */
export function untilLimitsReset(headers: IncomingHttpHeaders, message: string): number | undefined {
  const told = durationMs(IN_WORDS.exec(message)?.[1]);
  if (told !== undefined) return told;
  const delays = KINDS.flatMap((kind) => {
    if (headers[`x-ratelimit-remaining-${kind}`] !== "0") return [];
    return durationMs(headers[`x-ratelimit-reset-${kind}`]?.toString()) ?? [];
  });
  return delays.length > 0 ? Math.max(...delays) : undefined;
}

function durationMs(text = ""): number | undefined {
  if (text.length > MAX_CHARS || !WHOLE.test(text)) return undefined;
  const parts = text.matchAll(/([\d.]+)(ms|[dhms])/g);
  const sum = parts.reduce((ms, [, count, unit = ""]) => ms + Number(count) * (UNITS_MS[unit] ?? 0), 0);
  return Math.ceil(sum);
}
