/** A failure told anew: of another call, or as of one that the provider never saw. */
import { Failure } from "./failure.ts";

/** The same for another call: what it was spent on, and whether it was told, are that one's own. */
export function retold(failure: Failure): Failure {
  const { kind, message, operator, violations, retryAfterMs, cause } = failure;
  return new Failure(kind, message, {
    violations,
    cause,
    ...(operator === undefined ? {} : { operator }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/**
 * What ended a call that the provider never saw, which is therefore free.
 *
 * @param where it was when it ended, for who reads nothing better
 */
export function unsent(reason: unknown, where: string): unknown {
  if (!(reason instanceof Failure)) return reason;
  const { kind, message, operator = where, impatient, retryAfterMs } = reason;
  return new Failure(kind, message, {
    operator,
    impatient,
    unsent: true,
    cause: reason,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}
