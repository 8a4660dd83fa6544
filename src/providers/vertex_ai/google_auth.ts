/**
 * Access tokens for Google Cloud by Google's own library: from the key file of a
 * service account, from a federated identity, or from the place where the
 * gateway runs. The one place that names that library, which is loaded when the
 * first token is asked for.
 */
import { Failure } from "../../core/failure.ts";
import type { TokenSource } from "./access_token.ts";

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const TIMEOUT_MS = 10_000;
/** How long a token is kept whose end is not told. */
const UNTOLD_LIFE_MS = 5 * 60_000;

/** What may be replaced in tests: the way to Google's token endpoint, whose address the library has built in. */
export interface TokenRequests {
  readonly fetchImplementation?: typeof fetch;
}

/**
 * Reads the credentials anew for each token, so that a key file may be replaced
 * while the gateway runs.
 *
 * @param credentialsPath a key file; empty for Google's default credentials
 */
export function googleTokens(credentialsPath: string, requests: TokenRequests = {}): TokenSource {
  return async () => {
    const { GoogleAuth } = await import("google-auth-library");
    const auth = new GoogleAuth({
      scopes: [SCOPE],
      ...(credentialsPath ? { keyFilename: credentialsPath } : {}),
      clientOptions: { transporterOptions: { timeout: TIMEOUT_MS, ...requests } },
    });
    const client = await auth.getClient().catch((cause: unknown) => {
      throw new Failure("provider_auth", NOT_FOUND, { operator: `${NOT_FOUND}: ${wordsOf(cause)}`, cause });
    });
    const { token } = await client.getAccessToken().catch((cause: unknown) => {
      throw new Failure("provider_auth", REFUSED, { operator: `${REFUSED}: ${wordsOf(cause)}`, cause });
    });
    if (!token) throw new Failure("provider_auth", REFUSED);
    return { token, expiresAtMs: client.credentials.expiry_date ?? Date.now() + UNTOLD_LIFE_MS };
  };
}

const NOT_FOUND =
  "no usable Google credentials were found; set credentials_path (VERTEX_AI_CREDENTIALS_PATH) to a service account's " +
  "key file, or run where Google's default credentials are, as after gcloud auth application-default login";
const REFUSED =
  "Google gave no access token for the gateway's credentials; see that the service account exists, that its key is " +
  "not revoked, and that the clock is right";

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
