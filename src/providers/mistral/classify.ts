/** What a failure of Mistral's means: as among all who speak like OpenAI, but for when to try again. */
import type { IncomingHttpHeaders } from "node:http";
import type { Failure } from "../../core/failure.ts";
import { retryAfterMs } from "../../wire/retry_after.ts";
import { classify as classifyLikeOpenAi } from "../openai/classify.ts";

/** Seconds until a limit is full again, by the names that its gateway has given them over time. */
const RESETS = ["ratelimit-reset", "ratelimitbysize-reset"];

export function classify(status: number, headers: IncomingHttpHeaders, body: string): Failure {
  return classifyLikeOpenAi(status, headers, body, retryAfterMs(headers) ?? untilReset(status, headers));
}

/** The headers stand on good replies too, so that they say something of a refusal only. */
function untilReset(status: number, headers: IncomingHttpHeaders): number | undefined {
  if (status !== 429) return undefined;
  const seconds = RESETS.map((name) => headers[name]).find(Boolean);
  return retryAfterMs({ "retry-after": seconds?.toString() });
}
