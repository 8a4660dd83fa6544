/** Google's own library gets tokens from an endpoint on loopback, for each kind of credentials. */
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import { googleTokens, type TokenRequests } from "../../src/providers/vertex_ai/google_auth.ts";
import { answers, scriptedProvider } from "../support/provider.ts";

const folder = mkdtempSync(join(tmpdir(), "llmgateway-google-"));
afterAll(() => rmSync(folder, { recursive: true }));

// So that the machine of the test has no credentials of its own.
beforeEach(() => {
  vi.stubEnv("METADATA_SERVER_DETECTION", "none");
  vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", undefined);
  vi.stubEnv("HOME", folder);
});
afterEach(() => vi.unstubAllEnvs());

function fileOf(name: string, content: string | object): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

const { privateKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});

function tokensOf(path: string, requests?: TokenRequests) {
  return googleTokens({ path, project: "test-project" }, requests);
}

const SERVICE_ACCOUNT = {
  type: "service_account",
  project_id: "test-project",
  private_key_id: "1",
  private_key: privateKey,
  client_email: "gateway@test-project.iam.gserviceaccount.com",
  token_uri: "https://oauth2.googleapis.com/token",
};

/** The library has the endpoint's address built in; this leads it to loopback. */
function redirected(origin: string): typeof fetch {
  return (input, init) => fetch(`${origin}${new URL(String(input)).pathname}`, init);
}

function external(origin: string) {
  return {
    type: "external_account",
    audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    token_url: `${origin}/v1/token`,
    credential_source: { file: fileOf("subject", "who-I-am") },
  };
}

/** What the assertion in a request for a token says. */
function claimsIn(form: string) {
  const [, claims = ""] = (new URLSearchParams(form).get("assertion") ?? "").split(".");
  return JSON.parse(Buffer.from(claims, "base64url").toString());
}

test("a service account signs its request for a token", async () => {
  await using server = await scriptedProvider(answers(200, { access_token: "ya29.token", expires_in: 3600 }));
  const path = fileOf("account.json", SERVICE_ACCOUNT);
  const tokens = tokensOf(path, { fetchImplementation: redirected(server.origin) });
  const { token, expiresAtMs } = await tokens();
  expect(token).toBe("ya29.token");
  expect(expiresAtMs - Date.now()).toBeGreaterThan(3_500_000);
  const form = new URLSearchParams(server.requests[0]?.body);
  expect(form.get("grant_type")).toBe("urn:ietf:params:oauth:grant-type:jwt-bearer");
  expect(claimsIn(server.requests[0]?.body ?? "")).toMatchObject({
    iss: SERVICE_ACCOUNT.client_email,
    scope: "https://www.googleapis.com/auth/cloud-platform",
  });
});

test("a federated identity, found by Google's own variable, trades its own token for one", async () => {
  await using server = await scriptedProvider(answers(200, { access_token: "federated", expires_in: 3600 }));
  vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", fileOf("external.json", external(server.origin)));
  const { token } = await tokensOf("")();
  expect(token).toBe("federated");
  expect(server.requests[0]?.url).toBe("/v1/token");
  expect(new URLSearchParams(server.requests[0]?.body).get("subject_token")).toBe("who-I-am");
});

test("the credentials of a person name the project whose quota is used", async () => {
  await using server = await scriptedProvider(answers(200, { access_token: "t", expires_in: 3600 }));
  const user = { type: "authorized_user", client_id: "c", client_secret: "s", refresh_token: "r" };
  const path = fileOf("person.json", { ...user, quota_project_id: "paying-project" });
  vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", path);
  const tokens = tokensOf("", { fetchImplementation: redirected(server.origin) });
  expect(await tokens()).toMatchObject({ token: "t", quotaProject: "paying-project" });
});

test("a key file that was replaced is read anew, and nothing is written to the console", async () => {
  const warned = vi.spyOn(console, "warn");
  await using server = await scriptedProvider(answers(200, { access_token: "t", expires_in: 60 }));
  const path = fileOf("rotated.json", SERVICE_ACCOUNT);
  const tokens = tokensOf(path, { fetchImplementation: redirected(server.origin) });
  await tokens();
  writeFileSync(path, JSON.stringify({ ...SERVICE_ACCOUNT, client_email: "new@example.com" }));
  await tokens();
  const issuers = server.requests.map(({ body }) => claimsIn(body).iss);
  expect(issuers).toEqual([SERVICE_ACCOUNT.client_email, "new@example.com"]);
  expect(warned).not.toHaveBeenCalled();
});

test.each([
  ["a file that is not there", () => join(folder, "missing.json")],
  ["a file that is no JSON", () => fileOf("broken.json", "{")],
  ["a file of another kind", () => fileOf("user.json", { type: "authorized_user" })],
  ["no credentials at all", () => ""],
])("%s: says what to do, and not to the caller where it lies", async (_, path) => {
  const failure = await tokensOf(path())().catch((error: unknown) => error);
  expect(failure).toMatchObject({
    kind: "provider_auth",
    message: expect.stringMatching(/^no usable Google credentials were found; set credentials_path/),
    operator: expect.stringMatching(/VERTEX_AI_CREDENTIALS_PATH.+: \S/),
  });
  expect(failure).toMatchObject({ message: expect.not.stringContaining(folder) });
});

test("an endpoint that is not there", async () => {
  vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", fileOf("nowhere.json", external("http://127.0.0.1:9")));
  const failure = await tokensOf("")().catch((error: unknown) => error);
  expect(failure).toMatchObject({
    kind: "provider_auth",
    message: "Google's token endpoint cannot be reached",
    operator: expect.stringContaining("ECONNREFUSED"),
  });
});

test("a token that Google does not give: in Google's words for the operator", async () => {
  const refusal = { error: "invalid_grant", error_description: "Invalid JWT Signature." };
  await using server = await scriptedProvider(answers(400, refusal));
  const path = fileOf("revoked.json", SERVICE_ACCOUNT);
  const failure = await tokensOf(path, { fetchImplementation: redirected(server.origin) })().catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({
    kind: "provider_auth",
    message: expect.not.stringContaining("JWT"),
    operator: expect.stringContaining("invalid_grant: Invalid JWT Signature."),
  });
  expect(String((failure as { operator?: string }).operator)).not.toContain("PRIVATE KEY");
});
