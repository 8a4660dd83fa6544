/** A cold call to a provider, to learn whether it would serve. The calls that are paid for go over the transport. */
import type { IncomingHttpHeaders } from "node:http";
import { Failure } from "../core/failure.ts";
import { withoutKey } from "../core/redact.ts";
import type { Credentials } from "./credentials.ts";
import type { Dialect } from "./dialect.ts";

const TIMEOUT_MS = 5_000;

export interface Question {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: Credentials;
  readonly path: string;
  /** JSON text makes it a POST; empty for none. */
  readonly body: string;
  readonly classify: Dialect["classify"];
}

/**
 * @throws Failure when the provider refuses, or cannot be reached. One that
 *   answers, but does not have what was asked for, can be called.
 */
export async function ask({ baseUrl, headers, credentials, path, body, classify }: Question): Promise<void> {
  const url = new URL(baseUrl + path);
  const proof = await credentials.prove({ path: url.pathname + url.search, body });
  const reply = await post(url.href, { ...headers, ...proof.headers }, body);
  if (reply.ok) return reply.body?.cancel();
  const wire: IncomingHttpHeaders = Object.fromEntries(reply.headers);
  const failure = classify(reply.status, wire, withoutKey(await reply.text(), proof.secret));
  proof.onFailure?.(failure);
  if (failure.kind !== "model_not_found") throw failure;
}

async function post(url: string, headers: Record<string, string>, body: string): Promise<Response> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    if (!body) return await fetch(url, { headers, signal });
    return await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body,
      signal,
    });
  } catch (cause) {
    throw new Failure("unreachable", "the provider cannot be reached", { operator: String(cause), cause });
  }
}
