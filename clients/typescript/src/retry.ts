/** When a call that failed is made again. It knows nothing of what the call does. */
import type { Call } from "./call.ts";
import type { GatewayError } from "./error.ts";

/**
 * Only what cannot be paid for twice is tried again: a failure for which the gateway itself says when (its
 * `google.rpc.RetryInfo`), and a connection that was refused, so that nothing was sent; with an idempotency key, every
 * call that was not answered. A stream is tried again only before its first event.
 */
export interface RetryOptions {
  /** Attempts in all, the first one included; 2 by default. */
  readonly maxAttempts?: number;
  /** The longest wait before an attempt; a failure that asks for more is thrown at once. 10,000 by default. */
  readonly maxWaitMs?: number;
  /** Told of each failure that is about to be tried again, with what it had cost. */
  readonly onRetry?: (retry: Retry) => void;
}

/** An attempt that failed and is made again. */
export interface Retry {
  /** Its failure, with its receipt. */
  readonly error: GatewayError;
  /** Which one it was; 1 for the first. */
  readonly attempt: number;
  /** How long until the next one. */
  readonly waitMs: number;
}

const MAX_ATTEMPTS = 2;
const MAX_WAIT_MS = 10_000;
/** How long a gateway that starts anew may need until it listens. */
const REFUSED_WAIT_MS = 250;

/** Makes the call until it succeeds, or must not be made again. Throws a GatewayError with all that went before. */
export async function withRetry<Reply>(
  call: Call,
  options: RetryOptions | false,
  once: () => Promise<Reply>,
): Promise<Reply> {
  const { maxAttempts = MAX_ATTEMPTS, maxWaitMs = MAX_WAIT_MS, onRetry } = options || { maxAttempts: 1 };
  const previous: GatewayError[] = [];
  const fail = (cause: unknown) => Object.assign(call.failure(cause), { previous: [...previous] });
  for (let attempt = 1; ; attempt++) {
    try {
      return await once();
    } catch (cause) {
      const error = fail(cause);
      const waitMs = waitOf(error, call.isIdempotent);
      const isWorth = attempt < maxAttempts && waitMs !== undefined && waitMs <= maxWaitMs;
      if (!isWorth || waitMs >= call.remainingMs) throw error;
      previous.push(error);
      onRetry?.({ error, attempt, waitMs });
      await call.wait(waitMs).catch((reason) => {
        throw fail(reason);
      });
    }
  }
}

function waitOf(error: GatewayError, isIdempotent: boolean): number | undefined {
  const isUnanswered = error.kind === "gateway_unreachable" && (isIdempotent || isRefused(error));
  return isUnanswered ? REFUSED_WAIT_MS : error.retryAfterMs;
}

/** Node says so; a browser does not tell a refused connection from one that broke. */
function isRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (error as { code?: unknown }).code === "ECONNREFUSED" || isRefused(error.cause);
}
