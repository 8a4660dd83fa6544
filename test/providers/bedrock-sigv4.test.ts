import { Sha256 } from "@smithy/core/checksum";
import { SignatureV4 } from "@smithy/signature-v4";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import { type AwsIdentity, findIdentity, signingCredentials } from "../../src/providers/bedrock/identity.ts";
import { Signer } from "../../src/providers/bedrock/sigv4.ts";
import { VirtualClock } from "../support/clock.ts";

const SCOPE = { host: "bedrock-runtime.us-east-1.amazonaws.com", region: "us-east-1", service: "bedrock" };
const IDENTITY = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
const NOW = Date.UTC(2026, 10, 24, 15, 20, 3, 456);

/** What AWS's own signer makes of the same. */
async function theirs(identity: AwsIdentity, path: string, body: string, nowMs: number) {
  const signer = new SignatureV4({
    credentials: identity,
    region: SCOPE.region,
    service: SCOPE.service,
    sha256: Sha256,
    applyChecksum: false,
  });
  const { headers } = await signer.sign(
    {
      method: "POST",
      protocol: "https:",
      hostname: SCOPE.host,
      path,
      query: {},
      headers: { host: SCOPE.host, "content-type": "application/json" },
      body,
    },
    { signingDate: new Date(nowMs) },
  );
  const { host: _, "content-type": __, ...rest } = headers;
  return rest;
}

describe("a signature equals AWS's own", () => {
  test.each([
    ["a plain path", "/model/amazon.nova-lite-v1/converse", "{}"],
    ["a colon in the model", "/model/amazon.nova-lite-v1%3A0/converse-stream", '{"a":1}'],
    [
      "an ARN with slashes",
      "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.amazon.nova-lite-v1%3A0/converse",
      "{}",
    ],
    ["a base path with characters of all kinds", "/a:b/~c!d'(e)*f/model/x/invoke", "{}"],
    ["letters beyond ASCII in the body", "/model/x/converse", '{"text":"Hé 🎉"}'],
    ["an empty body", "/model/x/converse", ""],
  ])("%s", async (_, path, body) => {
    for (const identity of [IDENTITY, { ...IDENTITY, sessionToken: "IQoJb3JpZ2luX2VjEXAMPLE==" }]) {
      const ours = new Signer(identity, SCOPE).sign(path, body, NOW);
      expect(ours).toEqual(await theirs(identity, path, body, NOW));
    }
  });

  test("from one day to the next", async () => {
    const signer = new Signer(IDENTITY, SCOPE);
    for (const day of [0, 0, 1, 2, 1]) {
      const nowMs = NOW + day * 86_400_000;
      expect(signer.sign("/model/x/converse", "{}", nowMs)).toEqual(
        await theirs(IDENTITY, "/model/x/converse", "{}", nowMs),
      );
    }
  });
});

describe("who the gateway is", () => {
  const clock = new VirtualClock();
  const request = { path: "/model/x/converse", body: "{}" };
  const found = (accessKeyId: string, lastsMs?: number): AwsIdentity => ({
    ...IDENTITY,
    accessKeyId,
    ...(lastsMs === undefined ? {} : { expiration: new Date(clock.now() + lastsMs) }),
  });
  const keyIn = ({ headers }: { headers: Readonly<Record<string, string>> }) =>
    /Credential=([^/]+)\//.exec(headers.authorization ?? "")?.[1];

  test("is looked up once for all callers, and then known", async () => {
    const find = vi.fn(async () => found("A"));
    const credentials = signingCredentials(find, SCOPE, clock);
    const proofs = await Promise.all([1, 2, 3].map(() => credentials.prove(request)));
    expect(proofs.map(keyIn)).toEqual(["A", "A", "A"]);
    const next = credentials.prove(request);
    expect(next).not.toBeInstanceOf(Promise);
    expect(find).toHaveBeenCalledTimes(1);
  });

  test("is looked up again before it expires, and serves until it does", async () => {
    let lookups = 0;
    const renewed = Promise.withResolvers<AwsIdentity>();
    const find = async () => (lookups++ === 0 ? found("old", 3_600_000) : renewed.promise);
    const credentials = signingCredentials(find, SCOPE, clock);
    await credentials.prove(request);
    await clock.advance(3_299_000);
    expect(keyIn(await credentials.prove(request))).toBe("old");
    expect(lookups).toBe(1);
    await clock.advance(2_000);
    const proofs = [credentials.prove(request), credentials.prove(request)];
    expect(await Promise.all(proofs.map(async (proof) => keyIn(await proof)))).toEqual(["old", "old"]);
    expect(lookups).toBe(2);
    renewed.resolve(found("new", 3_600_000));
    await clock.advance(0);
    expect(keyIn(await credentials.prove(request))).toBe("new");
  });

  test("serves on when it cannot be renewed, and no longer than it lasts", async () => {
    let lookups = 0;
    const find = async () => {
      if (lookups++ > 0) throw new Error("no network");
      return found("old", 600_000);
    };
    const credentials = signingCredentials(find, SCOPE, clock);
    await credentials.prove(request);
    await clock.advance(500_000);
    expect(keyIn(await credentials.prove(request))).toBe("old");
    await clock.advance(100_000);
    await expect(credentials.prove(request)).rejects.toMatchObject({
      kind: "provider_auth",
      operator: expect.stringContaining("no network"),
    });
  });

  test("is looked up anew when AWS does not know it any more", async () => {
    let lookups = 0;
    const credentials = signingCredentials(async () => found(`key-${++lookups}`), SCOPE, clock);
    const proof = await credentials.prove(request);
    for (const kind of ["provider_rate_limited", "provider_permission"] as const)
      proof.onFailure?.(new Failure(kind, ""));
    expect(keyIn(await credentials.prove(request))).toBe("key-1");
    proof.onFailure?.(new Failure("provider_auth", ""));
    expect(keyIn(await credentials.prove(request))).toBe("key-2");
    // What was told of the old one says nothing about the new one.
    proof.onFailure?.(new Failure("provider_auth", ""));
    expect(keyIn(await credentials.prove(request))).toBe("key-2");
  });
});

describe("is found", () => {
  afterEach(() => vi.unstubAllEnvs());

  test("in the environment first", async () => {
    const env = { AWS_ACCESS_KEY_ID: "A", AWS_SECRET_ACCESS_KEY: "s", AWS_SESSION_TOKEN: "t" };
    expect(await findIdentity(env)).toEqual({ accessKeyId: "A", secretAccessKey: "s", sessionToken: "t" });
    const { AWS_SESSION_TOKEN: _, ...lasting } = env;
    expect(await findIdentity(lasting)).toEqual({ accessKeyId: "A", secretAccessKey: "s" });
  });

  test("where AWS's own tools find it, or else nowhere", async () => {
    for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"])
      vi.stubEnv(name, undefined);
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
    vi.stubEnv("AWS_CONFIG_FILE", "/nowhere");
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere");
    await expect(findIdentity({})).rejects.toThrow(/credentials/i);
    vi.stubEnv("AWS_ACCESS_KEY_ID", "of the process");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "s");
    expect(await findIdentity({})).toMatchObject({ accessKeyId: "of the process" });
  });
});
