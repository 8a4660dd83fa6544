/** Asks Anthropic for one of its models: the cheapest call that needs a working key. */
import { Failure } from "../../core/failure.ts";
import { messageOf } from "../../core/message.ts";
import { redact, withoutKey } from "../../core/redact.ts";
import type { Credentials } from "../credentials.ts";
import { readError } from "./error.ts";

const TIMEOUT_MS = 5_000;
const MAX_SHOWN_CHARS = 500;
const PATH = "/v1/models?limit=1";

export interface AvailabilityCheck {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: Credentials;
}

/** @returns a function that throws Failure, with what the provider said, when it would not serve */
export function checkAvailability({ baseUrl, headers, credentials }: AvailabilityCheck): () => Promise<void> {
  return async () => {
    const proof = await credentials.prove({ path: PATH, body: "" });
    const said = await ask(baseUrl + PATH, { ...headers, ...proof.headers }).catch((cause: unknown) => {
      throw new Failure("unreachable", withoutKey(messageOf(cause), proof.secret), { cause });
    });
    if (said) throw new Failure("unreachable", redact(withoutKey(said, proof.secret)));
  };
}

/** What the provider has against it; empty for nothing. One that has no list of models, but answered, can be called. */
async function ask(url: string, headers: Record<string, string>): Promise<string> {
  const reply = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  const body = await reply.text();
  if (reply.ok || reply.status === 404) return "";
  return `${reply.status} ${(readError(body).message || body).slice(0, MAX_SHOWN_CHARS)}`;
}
