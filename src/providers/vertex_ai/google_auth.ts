/**
 * Access tokens for Google Cloud by Google's own library: from the key file of a
 * service account, from a federated identity, or from the place where the
 * gateway runs. The one place that names that library, which is loaded when the
 * first token is asked for.
 */
import { readFile } from "node:fs/promises";
import type { AuthClient, JWTInput } from "google-auth-library";
import { Failure } from "../../core/failure.ts";
import { messageOf } from "../../core/message.ts";
import { isObject } from "../malformed.ts";
import type { TokenSource } from "./access_token.ts";

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const TIMEOUT_MS = 10_000;
/** How long a token is kept whose end is not told. */
const UNTOLD_LIFE_MS = 5 * 60_000;

/** What may be replaced in tests: the way to Google's token endpoint, whose address the library has built in. */
export interface TokenRequests {
  readonly fetchImplementation?: typeof fetch;
}

export interface GoogleCredentials {
  /** A service account's key file; empty for Google's default credentials, of whatever type. */
  readonly path: string;
  /** Spares the library a call that asks for it. */
  readonly project: string;
}

/** Reads the credentials anew for each token, so that a key file may be replaced while the gateway runs. */
export function googleTokens(credentials: GoogleCredentials, requests: TokenRequests = {}): TokenSource {
  return async () => {
    try {
      const client = await clientOf(credentials, requests);
      const { token } = await client.getAccessToken();
      if (!token) throw new Error("the reply has no access token");
      const expiresAtMs = client.credentials.expiry_date ?? Date.now() + UNTOLD_LIFE_MS;
      const { quotaProjectId: quotaProject } = client;
      return { token, expiresAtMs, ...(quotaProject && { quotaProject }) };
    } catch (cause) {
      throw failureOf(cause);
    }
  };
}

/** The library's own ways to read a key file are deprecated, and say so on the console. */
async function clientOf({ path, project }: GoogleCredentials, requests: TokenRequests): Promise<AuthClient> {
  const { GoogleAuth, JWT } = await import("google-auth-library");
  const transporterOptions = { timeout: TIMEOUT_MS, ...requests };
  const scopes = [SCOPE];
  if (!path)
    return new GoogleAuth({ scopes, projectId: project, clientOptions: { transporterOptions } }).getClient();
  const file = parse(await readFile(path, "utf8"), path);
  const { type, client_email: email, private_key: key, private_key_id: keyId } = file;
  if (type !== "service_account" || !email || !key) {
    throw new Error(
      `${path} is of type ${type}, not service_account; name it in GOOGLE_APPLICATION_CREDENTIALS`,
    );
  }
  return new JWT({ email, key, ...(keyId && { keyId }), scopes, transporterOptions });
}

/** The parser's own words would quote the file. */
function parse(text: string, path: string): JWTInput {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${path} is no JSON`);
  }
}

const NOT_FOUND =
  "no usable Google credentials were found; set credentials_path (VERTEX_AI_CREDENTIALS_PATH) to a service account's " +
  "key file, or run where Google's default credentials are, as after gcloud auth application-default login";
const REFUSED =
  "Google gave no access token for the gateway's credentials; see that the service account exists, that its key is " +
  "not revoked, and that the clock is right";
const UNREACHED = "Google's token endpoint cannot be reached";

/** Errors of the library's HTTP client bear the request's configuration, and the reply if there was one. */
function failureOf(cause: unknown): Failure {
  const { config, response }: { config?: unknown; response?: unknown } = isObject(cause) ? cause : {};
  const message = response ? REFUSED : config ? UNREACHED : NOT_FOUND;
  const words = messageOf(cause);
  return new Failure("provider_auth", message, { operator: `${message}: ${words}`, cause });
}
