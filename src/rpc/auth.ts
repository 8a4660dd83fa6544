/** API keys, known by their SHA-256 alone. Comparing takes the same time wherever a wrong key differs. */
import { hash, timingSafeEqual } from "node:crypto";
import { ANONYMOUS, INTERNAL } from "../core/anonymous.ts";
import { Failure } from "../core/failure.ts";

/** Finds the caller whose key this is. */
export type Authenticate = (headers: { get(name: string): string | null }) => Identity;

export interface Identity {
  /** The key's name. */
  readonly principal: string;
  /** The team that pays. */
  readonly tenant: string;
  /** With whom of its tenant it shares cached answers. */
  readonly cacheScope: string;
  /** What it may do. */
  readonly scopes: readonly string[];
}

/** Without keys the gateway serves its own machine, whose users may do everything. */
const EVERYBODY: Identity = {
  principal: ANONYMOUS,
  tenant: INTERNAL,
  cacheScope: "",
  scopes: ["call", "admin"],
};

/**
 * Without keys everyone is `anonymous`.
 *
 * @returns a function that throws Failure `unauthenticated` for a missing or wrong key
 */
export function createAuthenticate(
  keys: readonly (Omit<Identity, "principal"> & { readonly name: string; readonly sha256: string })[],
): Authenticate {
  if (keys.length === 0) return () => EVERYBODY;
  const known = keys.map(({ name, sha256, tenant, cacheScope, scopes }) => ({
    digest: Buffer.from(sha256, "hex"),
    identity: { principal: name, tenant, cacheScope, scopes },
  }));
  return (headers) => {
    const key = bearer(headers.get("authorization")) ?? headers.get("x-api-key");
    if (!key) {
      throw new Failure("unauthenticated", 'an API key is missing: send it as "Authorization: Bearer KEY"');
    }
    const digest = hash("sha256", key, "buffer");
    let found: Identity | undefined;
    // Every key is compared, so that time tells nothing of their order either.
    for (const candidate of known) if (timingSafeEqual(candidate.digest, digest)) found = candidate.identity;
    if (!found) throw new Failure("unauthenticated", "the API key is not known");
    return found;
  };
}

function bearer(authorization: string | null): string | undefined {
  return authorization?.match(/^Bearer +(\S+)$/i)?.[1];
}
