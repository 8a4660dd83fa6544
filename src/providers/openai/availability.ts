/** Asks an OpenAI-compatible provider for its models: the cheapest call that needs a working key. */
import OpenAI from "openai";
import { Failure } from "../../core/failure.ts";
import { withoutKey } from "../../core/redact.ts";
import { type Access, coldClient } from "./sdk.ts";

const TIMEOUT_MS = 5_000;

/** @returns a function that throws Failure, with what the provider said, when it would not serve */
export function checkAvailability(access: Access): () => Promise<void> {
  const sdk = coldClient(access, TIMEOUT_MS);
  return async () => {
    const proof = await access.credentials.prove({ path: "/models", body: "" });
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
