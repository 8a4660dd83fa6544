/** How a fault tells when it is worth coming back, in the headers that providers use for it. */
import type { Fault } from "./fault.ts";

/** Empty where it does not tell. A date counts from that of the reply, and so has whole seconds as that has. */
export function retryAfterHeaders(fault: Fault | undefined): Record<string, string> {
  const { retryAfterSeconds, retryAfterMs, retryAfterDateSeconds } = fault ?? {};
  return {
    ...(retryAfterSeconds !== undefined && { "retry-after": String(retryAfterSeconds) }),
    ...(retryAfterMs !== undefined && { "retry-after-ms": String(retryAfterMs) }),
    ...(retryAfterDateSeconds !== undefined && {
      "retry-after": new Date(Date.now() + 1000 * retryAfterDateSeconds).toUTCString(),
    }),
  };
}
