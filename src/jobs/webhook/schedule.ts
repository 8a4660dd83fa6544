/** When a webhook that was not taken is tried again. It draws no random number itself, and knows no receiver. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Between two tries. */
const DELAYS_MS = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR];
/** After those, again and again. */
const LAST_DELAY_MS = 6 * HOUR;

/** Later by up to this, so that what failed at once does not come back at once. */
const JITTER = 0.2;
/** A receiver that asks for more rest than this does not get it. */
export const MAX_RETRY_AFTER_MS = 6 * HOUR;

export interface FailedTry {
  readonly attempts: number;
  readonly sinceMs: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** What the receiver asks for, at least. */
  readonly retryAfterMs: number | undefined;
}

/**
 * @param random from 0 up to 1
 * @returns undefined when it is given up; the last try is when its time is up
 */
export function nextTryMs(tried: FailedTry, giveUpAfterMs: number, random: number): number | undefined {
  const { attempts, sinceMs, startedAtMs, endedAtMs, retryAfterMs = 0 } = tried;
  const endMs = sinceMs + giveUpAfterMs;
  if (startedAtMs >= endMs) return undefined;
  // After a redelivery it begins anew, though tries are counted on; and a first try that comes late is a first one.
  const step = Math.min(attempts - 1, stepAt(startedAtMs - sinceMs));
  const delayMs = Math.round((DELAYS_MS[step] ?? LAST_DELAY_MS) * (1 + JITTER * random));
  const asked = Math.round(Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
  // A slow receiver may have taken the time that was left.
  return Math.max(Math.min(endedAtMs + Math.max(delayMs, asked), endMs), endedAtMs);
}

/** Which delay a webhook has come to that is as old. */
function stepAt(ageMs: number): number {
  let passedMs = 0;
  const step = DELAYS_MS.findIndex((delayMs) => {
    passedMs += delayMs;
    return ageMs < passedMs;
  });
  return step < 0 ? DELAYS_MS.length : step;
}
