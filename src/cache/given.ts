/** How a call is given an answer that is there already, and told of it. Which answer it is, is for others to find. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { CacheLookup } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Call, Served } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import type { Reply } from "../core/reply.ts";
import { type Answer, paced, replayed } from "./answer.ts";

export interface Giving {
  readonly kind: Served["kind"];
  /** How alike the requests are, where they are not the same. */
  readonly similarity?: number;
  /** Whether a stream comes as it came; at once where it is absent. */
  readonly pace?: { readonly clock: Clock; readonly paced: boolean };
}

/** The reply with that answer; the call's receipt tells whose it was. */
export function given(call: Call, answer: Answer, { kind, similarity, pace }: Giving): Reply {
  const { tally, streaming, signal } = call;
  const { provider, model, costPicoUsd, dropped = [] } = answer;
  tally.served = { kind, provider, model, costPicoUsd };
  tally.dropped.push(...dropped);
  tally.cache = hitOf(answer, similarity);
  const isPaced = pace?.paced && streaming;
  return { events: isPaced ? paced(answer, pace.clock, signal) : replayed(answer) };
}

export function hitOf({ requestId, storedAtMs }: Answer, similarity?: number): CacheLookup {
  return lookupOf({
    outcome: "hit",
    sourceRequestId: requestId,
    storedAt: timestampFromMs(storedAtMs),
    ...(similarity === undefined ? {} : { similarity }),
  });
}

export function lookupOf(fields: Partial<Omit<CacheLookup, "$typeName">>): CacheLookup {
  return {
    $typeName: "llmgateway.v1.CacheLookup",
    outcome: "",
    reason: "",
    sourceRequestId: "",
    ...fields,
  };
}

/** Whether an answer is young enough for who asks. */
export function isFresh({ storedAtMs }: Answer, { cacheTtlSeconds }: ChatRequest, clock: Clock): boolean {
  return cacheTtlSeconds === undefined || clock.now() < storedAtMs + cacheTtlSeconds * 1_000;
}
