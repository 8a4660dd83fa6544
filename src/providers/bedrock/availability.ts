/**
 * Asks Bedrock whether it knows the gateway. The runtime has no list of models, and the one of the control
 * plane needs a right that who may call models need not have. So a model is called that does not exist: AWS
 * proves the caller first and then refuses the model, which costs nothing.
 */
import { Failure, type FailureKind } from "../../core/failure.ts";
import { ask, type Question } from "../ask.ts";
import { classify } from "./classify.ts";

const REQUEST = {
  path: "/model/llmgateway-availability/converse",
  body: JSON.stringify({ messages: [] }),
  classify,
};

/** AWS knew who asked. Which models it may call is another question. */
const KNOWN: ReadonlySet<FailureKind> = new Set(["provider_bad_request", "provider_permission"]);

/** @returns a function that throws Failure when no call would be served, for want of credentials too */
export function checkAvailability(endpoint: Omit<Question, keyof typeof REQUEST>): () => Promise<void> {
  return async () => {
    try {
      await ask({ ...endpoint, ...REQUEST });
    } catch (error) {
      if (!(error instanceof Failure) || !KNOWN.has(error.kind)) throw error;
    }
  };
}
