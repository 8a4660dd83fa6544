/** Anthropic's rate limits as its headers tell them. */
import type { IncomingHttpHeaders } from "node:http";

const KINDS = ["requests", "tokens", "input-tokens", "output-tokens"] as const;

/**
 * Until the last of those limits is reset that are used up, by the dates in
 * `anthropic-ratelimit-*-reset`. They count from the reply's own `date`, as the
 * two clocks need not agree.
 *
 * @returns undefined when no limit is used up, or there is no date
 */
export function untilLimitsReset(headers: IncomingHttpHeaders): number | undefined {
  const now = Date.parse(headers.date ?? "");
  const delays = KINDS.flatMap((kind) => {
    if (headers[`anthropic-ratelimit-${kind}-remaining`] !== "0") return [];
    const delay = Date.parse(headers[`anthropic-ratelimit-${kind}-reset`]?.toString() ?? "") - now;
    return Number.isNaN(delay) ? [] : [Math.max(0, delay)];
  });
  return delays.length > 0 ? Math.max(...delays) : undefined;
}
