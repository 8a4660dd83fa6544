/** Who the gateway is to AWS: looked up once for all callers, kept, and looked up again before it expires. */
import type { defaultProvider } from "@aws-sdk/credential-provider-node";
import type { Clock } from "../../core/clock.ts";
import { Failure, type FailureKind } from "../../core/failure.ts";
import { messageOf } from "../../core/message.ts";
import type { Credentials, Proof } from "../credentials.ts";
import { type Scope, Signer } from "./sigv4.ts";

/** As AWS's own credentials are, with when they expire. */
export type AwsIdentity = Awaited<ReturnType<ReturnType<typeof defaultProvider>>>;

type Environment = Readonly<Record<string, string | undefined>>;

/** The keys in the environment, or else whatever AWS's own tools would find: profiles, roles, containers, machines. */
export async function findIdentity(env: Environment): Promise<AwsIdentity> {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = env;
  if (AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY) {
    const sessionToken = AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {};
    return { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY, ...sessionToken };
  }
  // Too heavy to be loaded by everybody who does not need it.
  const { defaultProvider } = await import("@aws-sdk/credential-provider-node");
  return defaultProvider()();
}

/** How long before it expires an identity is renewed; until then the old one serves. */
const RENEWED_BEFORE_MS = 300_000;

/** Signs each request. */
export function signingCredentials(
  find: () => Promise<AwsIdentity>,
  scope: Scope,
  clock: Clock,
): Credentials {
  let known: { readonly identity: AwsIdentity; readonly signer: Signer } | undefined;
  let finding: Promise<void> | undefined;

  const renew = () => {
    finding ??= find()
      .then((identity) => {
        known = { identity, signer: new Signer(identity, scope) };
      })
      .finally(() => {
        finding = undefined;
      });
    return finding;
  };
  const leftMs = () => {
    if (!known) return 0;
    return (known.identity.expiration?.getTime() ?? Number.POSITIVE_INFINITY) - clock.now();
  };
  const proof = (path: string, body: string): Proof => {
    if (!known || leftMs() <= 0) throw noCredentials(new Error("the credentials found have expired"));
    const { identity, signer } = known;
    return {
      headers: signer.sign(path, body, clock.now()),
      // Neither key is ever sent; AWS repeats the token in what it says of a wrong signature.
      secret: identity.sessionToken ?? "",
      onFailure: ({ kind }: { readonly kind: FailureKind }) => {
        if (kind === "provider_auth" && known?.identity === identity) known = undefined;
      },
    };
  };
  return {
    prove({ path, body }) {
      const left = leftMs();
      if (left > RENEWED_BEFORE_MS) return proof(path, body);
      const renewed = renew();
      if (left <= 0)
        return renewed.then(
          () => proof(path, body),
          (error: unknown) => {
            throw noCredentials(error);
          },
        );
      // What serves until it expires may be renewed later as well.
      renewed.catch(() => {});
      return proof(path, body);
    },
  };
}

function noCredentials(cause: unknown): Failure {
  return new Failure("provider_auth", "the gateway has no valid AWS credentials", {
    operator: `no AWS credentials: ${messageOf(cause)}`,
    cause,
  });
}
