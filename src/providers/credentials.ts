/** Who calls a provider, proved anew for each request: by a key as it is, or by whatever else a provider wants. */
import type { Failure } from "../core/failure.ts";

export interface Credentials {
  /** @throws Failure `provider_auth` when no proof can be had */
  prove(request: Outgoing): Proof | Promise<Proof>;
}

/** What is sent, and so can be signed. */
export interface Outgoing {
  /** With its query. */
  readonly path: string;
  readonly body: string;
  /** The conversation that it belongs to; empty or left out for none. */
  readonly session?: string;
}

export interface Proof {
  readonly headers: Readonly<Record<string, string>>;
  /** Taken out of what the provider says of a failure, whatever it looks like; empty for none. */
  readonly secret: string;
  /**
   * Told when the provider refused the request, since that may be the proof's fault.
   *
   * @returns in how many milliseconds there is a proof that is not at fault; undefined where this is the only one
   */
  readonly onFailure?: (failure: Failure) => number | undefined;
}
