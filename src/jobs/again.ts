/** Whether a run that failed is made again, and when: a table by the kind of the failure, and chance. */
import type { Failure, FailureKind } from "../core/failure.ts";

/** `counted` where it costs a try: what the gateway itself refuses for now does not, nor that there is no room. */
export type Again = { readonly afterMs: number; readonly counted: boolean } | undefined;

/** The wait before the second run; each further one doubles it. */
const FIRST_WAIT_MS: Partial<Record<FailureKind, number>> = {
  provider_rate_limited: 5_000,
  provider_overloaded: 5_000,
  provider_error: 1_000,
  provider_timeout: 1_000,
  unreachable: 2_000,
  cut: 1_000,
  malformed_reply: 1_000,
  stream_too_slow: 1_000,
};
const REFUSED_WAIT_MS: Partial<Record<FailureKind, number>> = {
  rate_limited: 1_000,
  budget_unavailable: 5_000,
  circuit_open: 5_000,
  concurrency_limited: 1_000,
  slow_reader: 1_000,
  shared_answer_cut: 1_000,
};
const MAX_WAIT_MS = 300_000;
/** Whatever a provider says, who waits for longer waits for nothing that anybody knows of. */
const LONGEST_WAIT_MS = 86_400_000;
/** For room a job waits for half as long as it is old, between these. */
const FIRST_ROOM_WAIT_MS = 120_000;
const MAX_ROOM_WAIT_MS = 1_800_000;

/**
 * Of a run for which there is no room until other work is over. It costs no try, since that may take days.
 *
 * @param ageMs how long ago the job was submitted
 */
export function againWithRoom(ageMs: number, random: () => number): Again {
  const waitMs = Math.min(Math.max(ageMs / 2, FIRST_ROOM_WAIT_MS), MAX_ROOM_WAIT_MS);
  return { afterMs: waitOf(waitMs, undefined, random), counted: false };
}

/**
 * @param run the number of the run that failed, among those that were not lost
 * @param random from 0 to 1: jobs that failed together do not come back together
 */
export function againAfter(failure: Failure, run: number, maxRuns: number, random: () => number): Again {
  const refused = REFUSED_WAIT_MS[failure.kind];
  if (refused !== undefined)
    return { afterMs: waitOf(refused, failure.retryAfterMs, random), counted: false };
  const first = FIRST_WAIT_MS[failure.kind];
  if (first === undefined || run >= maxRuns) return undefined;
  const wait = Math.min(first * 2 ** (run - 1), MAX_WAIT_MS);
  return { afterMs: waitOf(wait, failure.retryAfterMs, random), counted: true };
}

/** No sooner than the provider wants, and up to half as long again; a day at most. */
function waitOf(waitMs: number, wantedMs: number | undefined, random: () => number): number {
  const least = Math.max(waitMs, wantedMs ?? 0);
  return Math.min(Math.round(least * (1 + random() / 2)), LONGEST_WAIT_MS);
}
