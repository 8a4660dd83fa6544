/**
 * Credentials that are a token of limited life: kept, and renewed once for all
 * callers before it ends. Where tokens come from is for others to say.
 */
import type { Clock } from "../../core/clock.ts";
import type { Failure } from "../../core/failure.ts";
import type { Credentials, Proof } from "../credentials.ts";

export interface AccessToken {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
  /** The project whose quota is used, where the credentials name one. */
  readonly quotaProject?: string;
}

/** @throws Failure `provider_auth` */
export type TokenSource = () => Promise<AccessToken>;

/** Without it, a person's own credentials are refused. https://cloud.google.com/docs/quotas/set-quota-project */
const QUOTA_PROJECT = "x-goog-user-project";

/** Google's metadata server has a new token when the old one has five minutes left. */
const RENEWED_BEFORE_MS = 4 * 60_000;
/** A token that was refused is not asked for anew more often. */
const LEAST_AGE_MS = 60_000;

/** @param headers that all requests bear anyway: what they say of the quota goes first */
export function accessTokenCredentials(
  source: TokenSource,
  clock: Clock,
  headers: Readonly<Record<string, string>> = {},
): Credentials {
  const isTold = Object.keys(headers).some((name) => name.toLowerCase() === QUOTA_PROJECT);
  return new AccessTokenCredentials(source, clock, isTold);
}

interface Held extends AccessToken {
  readonly proof: Proof;
  readonly obtainedAtMs: number;
}

class AccessTokenCredentials implements Credentials {
  private readonly source: TokenSource;
  private readonly clock: Clock;
  private readonly quotaIsTold: boolean;
  private held: Held | undefined;
  private renewal: Promise<Held> | undefined;

  constructor(source: TokenSource, clock: Clock, quotaIsTold: boolean) {
    this.source = source;
    this.clock = clock;
    this.quotaIsTold = quotaIsTold;
  }

  prove(): Proof | Promise<Proof> {
    const { held } = this;
    const leftMs = held ? held.expiresAtMs - this.clock.now() : 0;
    if (held && leftMs > RENEWED_BEFORE_MS) return held.proof;
    const renewal = this.renew();
    if (!held || leftMs <= 0) return renewal.then(({ proof }) => proof);
    // While the old one holds nobody waits; should no new one come, the next call asks again.
    renewal.catch(() => {});
    return held.proof;
  }

  private renew(): Promise<Held> {
    this.renewal ??= this.obtain().finally(() => {
      this.renewal = undefined;
    });
    return this.renewal;
  }

  private async obtain(): Promise<Held> {
    const token = await this.source();
    const held: Held = { ...token, obtainedAtMs: this.clock.now(), proof: this.proofOf(token) };
    this.held = held;
    return held;
  }

  private proofOf({ token, quotaProject }: AccessToken): Proof {
    return {
      headers: {
        authorization: `Bearer ${token}`,
        ...(quotaProject && !this.quotaIsTold && { [QUOTA_PROJECT]: quotaProject }),
      },
      secret: token,
      onFailure: ({ kind }: Failure) => {
        const { held } = this;
        if (kind !== "provider_auth" || held?.token !== token) return;
        const ageMs = this.clock.now() - held.obtainedAtMs;
        // Where the clock was set back, its age says nothing, and neither does when it ends.
        if (ageMs < 0 || ageMs >= LEAST_AGE_MS) this.held = undefined;
      },
    };
  }
}
