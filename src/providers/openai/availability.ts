/** Asks an OpenAI-compatible provider for its models: the cheapest call that needs a working key. */
import OpenAI from "openai";
import { Failure } from "../../core/failure.ts";
import { withoutKey } from "../../core/redact.ts";
import type { Credentials } from "../credentials.ts";

const TIMEOUT_MS = 5_000;

export interface AvailabilityCheck {
  readonly baseUrl: string;
  /** Without the `?`; empty for none. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: Credentials;
}

/** @returns a function that throws Failure, with what the provider said, when it would not serve */
export function checkAvailability(check: AvailabilityCheck): () => Promise<void> {
  const { baseUrl, query, headers, credentials } = check;
  const sdk = new OpenAI({
    baseURL: baseUrl,
    // The headers bear the key, by whichever name this provider wants it.
    apiKey: "unused",
    defaultHeaders: { authorization: null, ...headers },
    defaultQuery: Object.fromEntries(new URLSearchParams(query)),
    timeout: TIMEOUT_MS,
    maxRetries: 0,
  });
  return async () => {
    const proof = await credentials.prove({ path: "/models", body: "" });
    try {
      await sdk.models.list({ headers: proof.headers });
    } catch (error) {
      // A provider that has no list of models, but answered, can be called.
      if (error instanceof OpenAI.NotFoundError) return;
      const text = error instanceof Error ? error.message : String(error);
      throw new Failure("unreachable", withoutKey(text, proof.secret), { cause: error });
    }
  };
}
