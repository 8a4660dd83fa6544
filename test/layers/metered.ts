/** A metered attempt, from its call to its end. */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { AttemptCall, Call } from "../../src/core/call.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { Reply } from "../../src/core/reply.ts";
import { Estimator } from "../../src/cost/estimate.ts";
import { type Accounts, meter } from "../../src/layers/meter.ts";
import { attemptOf, type CallInit, routedCallOf, TARGET } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";
import { accountsOf } from "../support/means.ts";
import { CACHE_WRITE, INPUT } from "../support/prices.ts";

export const UNPRICED = { provider: "openai", model: "gpt-unheard-of" };
/** What the meter estimates for the input of the usual request. */
export function guess(model = TARGET.model) {
  return new Estimator().estimate(routedCallOf().request, { provider: "openai", model, kind: "openai" });
}
export const GUESSED = BigInt(guess().inputTokens) * INPUT;
/** Where the answer broke off, the input is booked at the most that it may have had. */
/** All of it may have been written to the provider's cache, which is dearer. */
export const MOST_GUESSED = BigInt(guess().maxInputTokens) * CACHE_WRITE;
export { LEAST_UNDER_WAY as UNDER_WAY } from "../../src/cost/answer.ts";

export interface MeteredInit extends CallInit {
  /** An attempt that the call has behind it. */
  readonly before?: Parameters<typeof attemptOf>[0];
  readonly clock?: Clock;
  readonly accounts?: Partial<Accounts>;
}

export type Serve = (call: AttemptCall) => Promise<Reply>;

/** Reads the reply to its end, whichever that is. */
export async function metered(serve: Serve, init: MeteredInit = {}) {
  const call = routedCallOf(init);
  if (init.before) call.tally.attempts.push(attemptOf(init.before));
  const seen: StreamResponse[] = [];
  const layer = meter(accountsOf(init.clock ?? new VirtualClock(), init.accounts));
  const failure = await layer(serve)(call)
    .then(async ({ events }) => {
      for await (const batch of events) seen.push(...batch.map((one) => ({ ...one })));
    })
    .catch((error: unknown) => error);
  return { call, failure, seen, attempt: lastOf(call) };
}

export function lastOf({ tally }: Call) {
  const attempt = tally.attempts.at(-1);
  if (!attempt) throw new Error("there was no attempt");
  return attempt;
}
