/**
 * A provider's keys: calls are spread over them in turn, and a key that was refused or limited rests. The calls of a
 * session keep to one key, since a provider's prompt cache is that of an account.
 */
import type { Clock } from "../core/clock.ts";
import type { Failure, FailureKind } from "../core/failure.ts";
import { hashOf, pull } from "../core/rendezvous.ts";
import type { Credentials, Proof } from "./credentials.ts";

/** How long a key rests when the provider does not say. */
const REST_MS: Readonly<Partial<Record<FailureKind, number>>> = {
  provider_rate_limited: 10_000,
  quota_exhausted: 300_000,
  provider_auth: 300_000,
};

/** Some say a date in seconds where a delay belongs, and no limit is known that a call an hour would hurt. */
const MAX_REST_MS = 3_600_000;

interface Key {
  readonly secret: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Its place among the others, for sessions. */
  readonly hash: number;
  /** How many turns it has. */
  turns: number;
  restsUntilMs: number;
  /** When that was last said. */
  refusedAtMs: number;
}

/**
 * While all keys rest, the one whose rest is the first to end is used: only the
 * provider knows whether it would serve.
 *
 * @param secrets one that is there several times has as many turns
 * @param headersOf how this provider wants its key
 */
export function keyCredentials(
  secrets: readonly string[],
  headersOf: (key: string) => Record<string, string>,
  clock: Clock,
): Credentials {
  const keys = new Map<string, Key>();
  const turns = secrets.map((secret) => {
    const key = keys.get(secret) ?? {
      secret,
      headers: headersOf(secret),
      hash: hashOf(secret),
      turns: 0,
      restsUntilMs: 0,
      refusedAtMs: 0,
    };
    key.turns++;
    keys.set(secret, key);
    return key;
  });
  const single = keys.size === 1 ? turns[0] : undefined;
  const distinct = [...keys.values()];
  let turn = 0;
  return {
    prove({ session }) {
      const key =
        single ??
        (session ? keep(distinct, hashOf(session), clock.now()) : choose(turns, turn++, clock.now()));
      return key ? proofOf(key, distinct, clock) : NO_KEY;
    },
  };
}

const NO_KEY: Proof = { headers: {}, secret: "" };

/** The next whose turn it is. */
function choose(turns: readonly Key[], turn: number, nowMs: number): Key | undefined {
  for (let step = 0; step < turns.length; step++) {
    const key = turns[(turn + step) % turns.length];
    if (key && restMsOf(key, nowMs) === 0) return key;
  }
  return soonest(turns, nowMs);
}

/** The one that the session always has, or while that one rests, always the same other one. */
function keep(keys: readonly Key[], session: number, nowMs: number): Key | undefined {
  let best: Key | undefined;
  let most = -1;
  for (const key of keys) {
    if (restMsOf(key, nowMs) > 0) continue;
    const pulled = pull(session, key.hash, key.turns);
    if (pulled <= most) continue;
    best = key;
    most = pulled;
  }
  return best ?? soonest(keys, nowMs);
}

function soonest(keys: readonly Key[], nowMs: number): Key | undefined {
  let first: Key | undefined;
  for (const key of keys) if (!first || restMsOf(key, nowMs) < restMsOf(first, nowMs)) first = key;
  return first;
}

/** How much longer it rests. Where the clock was set back, it would rest for as much more. */
function restMsOf({ restsUntilMs, refusedAtMs }: Key, nowMs: number): number {
  return nowMs < refusedAtMs ? 0 : Math.max(0, restsUntilMs - nowMs);
}

function proofOf(key: Key, keys: readonly Key[], clock: Clock): Proof {
  return {
    headers: key.headers,
    secret: key.secret,
    onFailure({ kind, retryAfterMs }: Failure) {
      const restMs = REST_MS[kind];
      if (restMs === undefined) return undefined;
      const nowMs = clock.now();
      // Of several calls under way, whichever is refused last says the least.
      const rest = Math.max(restMsOf(key, nowMs), Math.min(retryAfterMs ?? restMs, MAX_REST_MS));
      key.restsUntilMs = nowMs + rest;
      key.refusedAtMs = nowMs;
      return keys.length > 1 ? restMsOf(soonest(keys, nowMs) ?? key, nowMs) : undefined;
    },
  };
}
