/**
 * AWS Signature Version 4 for a JSON POST. The SDK's signer says the same and is the judge of this one in the
 * tests; but it takes 29 µs for a request of 0.5 kB where this takes 5, and the whole adapter may take 14.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 */
import { createHmac, hash } from "node:crypto";

export interface Identity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface Scope {
  /** As in the `host` header. */
  readonly host: string;
  readonly region: string;
  readonly service: string;
}

/** What is signed: the headers that are always sent, and no more. */
const CONTENT_TYPE = "application/json";

export class Signer {
  private readonly identity: Identity;
  private readonly scope: Scope;
  private day = "";
  /** Derived anew each day. */
  private key: Buffer = Buffer.alloc(0);

  constructor(identity: Identity, scope: Scope) {
    this.identity = identity;
    this.scope = scope;
  }

  /**
   * The headers that prove a request.
   *
   * @param path as it is sent, without a query
   * @param nowMs milliseconds since the epoch; AWS takes no more than five minutes to either side
   */
  sign(path: string, body: string, nowMs: number): Record<string, string> {
    const { accessKeyId, sessionToken } = this.identity;
    const { host, region, service } = this.scope;
    const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "");
    const day = time.slice(0, 8);
    const signed = sessionToken
      ? "content-type;host;x-amz-date;x-amz-security-token"
      : "content-type;host;x-amz-date";
    const token = sessionToken ? `x-amz-security-token:${sessionToken}\n` : "";
    const headers = `content-type:${CONTENT_TYPE}\nhost:${host}\nx-amz-date:${time}\n${token}`;
    const request = `POST\n${escaped(path)}\n\n${headers}\n${signed}\n${hash("sha256", body)}`;
    const scope = `${day}/${region}/${service}/aws4_request`;
    const toSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash("sha256", request)}`;
    const signature = createHmac("sha256", this.keyOf(day)).update(toSign).digest("hex");
    return {
      authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`,
      "x-amz-date": time,
      ...(sessionToken ? { "x-amz-security-token": sessionToken } : {}),
    };
  }

  private keyOf(day: string): Buffer {
    if (day === this.day) return this.key;
    const { region, service } = this.scope;
    let key: Buffer | string = `AWS4${this.identity.secretAccessKey}`;
    for (const part of [day, region, service, "aws4_request"])
      key = createHmac("sha256", key).update(part).digest();
    this.day = day;
    this.key = key as Buffer;
    return this.key;
  }
}

/** Once more than it is on the wire, which every service but S3 wants. */
function escaped(path: string): string {
  return path.replace(/[^A-Za-z0-9_.~/-]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
