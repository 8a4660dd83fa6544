/** A provider's keys: calls are spread over them in turn, and a key that was refused or limited rests. */
import type { Clock } from "../core/clock.ts";
import type { Failure, FailureKind } from "../core/failure.ts";
import type { Credentials, Proof } from "./credentials.ts";

/** How long a key rests when the provider does not say. */
const REST_MS: Readonly<Partial<Record<FailureKind, number>>> = {
  provider_rate_limited: 10_000,
  quota_exhausted: 300_000,
  provider_auth: 300_000,
};

interface Key {
  readonly secret: string;
  readonly headers: Readonly<Record<string, string>>;
  restsUntilMs: number;
}

/**
 * While all keys rest, the one whose rest is the first to end is used: only the
 * provider knows whether it would serve.
 *
 * @param headersOf how this provider wants its key
 */
export function keyCredentials(
  secrets: readonly string[],
  headersOf: (key: string) => Record<string, string>,
  clock: Clock,
): Credentials {
  const keys = secrets.map((secret): Key => ({ secret, headers: headersOf(secret), restsUntilMs: 0 }));
  let turn = 0;
  return {
    prove() {
      const key = choose(keys, turn++, clock.now());
      return key ? proofOf(key, clock) : NO_KEY;
    },
  };
}

const NO_KEY: Proof = { headers: {}, secret: "" };

function choose(keys: readonly Key[], turn: number, nowMs: number): Key | undefined {
  let soonest: Key | undefined;
  for (let step = 0; step < keys.length; step++) {
    const key = keys[(turn + step) % keys.length];
    if (!key) continue;
    if (key.restsUntilMs <= nowMs) return key;
    if (!soonest || key.restsUntilMs < soonest.restsUntilMs) soonest = key;
  }
  return soonest;
}

function proofOf(key: Key, clock: Clock): Proof {
  return {
    headers: key.headers,
    secret: key.secret,
    onFailure({ kind, retryAfterMs }: Failure) {
      const restMs = REST_MS[kind];
      if (restMs !== undefined) key.restsUntilMs = clock.now() + (retryAfterMs ?? restMs);
    },
  };
}
