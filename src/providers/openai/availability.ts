/** Asks an OpenAI-compatible provider for its models: the cheapest call that needs a working key. */
import { Failure } from "../../core/failure.ts";
import { messageOf } from "../../core/message.ts";
import { withoutKey } from "../../core/redact.ts";
import { type Access, answerIn, coldClient } from "./sdk.ts";

const TIMEOUT_MS = 5_000;

/** @returns a function that throws Failure, with what the provider said, when it would not serve */
export function checkAvailability(access: Access): () => Promise<void> {
  const sdk = coldClient(access, TIMEOUT_MS);
  return async () => {
    const proof = await access.credentials.prove({ path: "/models", body: "" });
    try {
      await (await sdk()).models.list({ headers: proof.headers });
    } catch (error) {
      // A provider that has no list of models, but answered, can be called.
      if ((await answerIn(error))?.status === 404) return;
      const text = messageOf(error);
      throw new Failure("unreachable", withoutKey(text, proof.secret), { cause: error });
    }
  };
}
