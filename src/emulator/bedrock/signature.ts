/** Whether a request bears an AWS signature, and a right one where the secret is known. */
import { createHash, createHmac } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { Refusal } from "./errors.ts";

export interface SignedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/\s]+)\/(\d{8})\/([a-z0-9-]+)\/bedrock\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;

/**
 * A bearer token is one of Bedrock's own keys. Throws Refusal for neither a key
 * nor a signature, and for one that is malformed or wrong.
 *
 * @param secret what the signature must be made with, or the key itself; undefined accepts any
 */
export function requireSignature(request: SignedRequest, secret: string | undefined): void {
  const { authorization = "" } = request.headers;
  if (authorization === "")
    throw new Refusal("Missing Authentication Token", "MissingAuthenticationTokenException");
  const [, key] = /^Bearer (\S+)$/.exec(authorization) ?? [];
  if (key !== undefined) {
    if (secret === undefined || key === secret) return;
    throw new Refusal(
      "Authentication failed: Please make sure your API Key is valid.",
      "AccessDeniedException",
    );
  }
  const [, , day = "", region = "", names = "", signature] = AUTHORIZATION.exec(authorization) ?? [];
  const time = request.headers["x-amz-date"];
  const signed = names.split(";");
  const whole = ["host", "x-amz-date"].every((name) => signed.includes(name));
  if (signature === undefined || typeof time !== "string" || !time.startsWith(`${day}T`) || !whole)
    throw new Refusal(
      "The request signature does not conform to AWS standards.",
      "IncompleteSignatureException",
    );
  if (secret === undefined) return;
  const scope = `${day}/${region}/bedrock/aws4_request`;
  const toSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical(request, signed))}`;
  const parts = [day, region, "bedrock", "aws4_request"];
  const signingKey = parts.reduce<Buffer | string>((key, part) => hmac(key, part), `AWS4${secret}`);
  if (hmac(signingKey, toSign).toString("hex") === signature) return;
  throw new Refusal(
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
    "InvalidSignatureException",
  );
}

function canonical({ path, headers, body }: SignedRequest, signed: readonly string[]): string {
  const lines = signed.map(
    (name) =>
      `${name}:${String(headers[name] ?? "")
        .trim()
        .replace(/\s+/g, " ")}\n`,
  );
  return `POST\n${twiceEncoded(path)}\n\n${lines.join("")}\n${signed.join(";")}\n${sha256(body)}`;
}

/** The path is encoded as it is; AWS encodes it again, all but its slashes. */
function twiceEncoded(path: string): string {
  const encode = (segment: string) =>
    encodeURIComponent(segment).replace(
      /[!'()*]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return path.split("/").map(encode).join("/");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
