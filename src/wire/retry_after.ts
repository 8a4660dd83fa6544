/** When the other side says that it is worth trying again. It knows no failures. */
import type { IncomingHttpHeaders } from "node:http";

/** Azure's services say either. */
const IN_MS = ["retry-after-ms", "x-ms-retry-after-ms"];

/**
 * From `retry-after-ms`, `x-ms-retry-after-ms` or else `retry-after`, in
 * seconds or as an HTTP date. Azure sends `retry-after-ms: 0` together with
 * `retry-after: 1`, so that a zero gives way. A date counts from the reply's own
 * `date` header, as the two clocks need not agree; without one it says nothing.
 *
 * @returns whole milliseconds from now, or undefined when it does not say
 */
export function retryAfterMs(headers: IncomingHttpHeaders): number | undefined {
  const precise = IN_MS.map((name) => numberIn(headers[name])).filter((ms) => ms !== undefined);
  const coarse = headers["retry-after"];
  const seconds = numberIn(coarse);
  const delay = seconds === undefined ? untilDate(coarse, headers.date) : seconds * 1000;
  const told = precise.find((ms) => ms > 0) ?? delay ?? precise[0];
  // What is told on has no fractions of a millisecond.
  return told === undefined ? undefined : Math.ceil(told);
}

function numberIn(header: string | string[] | undefined): number | undefined {
  return typeof header === "string" && /^\d+(\.\d+)?$/.test(header.trim()) ? Number(header) : undefined;
}

function untilDate(date: string | undefined, from: string | undefined): number | undefined {
  // Date.parse reads a date into almost anything; HTTP's dates end like this.
  if (!date?.trim().endsWith("GMT") || !from) return undefined;
  const delay = Date.parse(date) - Date.parse(from);
  return Number.isNaN(delay) ? undefined : Math.max(0, delay);
}
