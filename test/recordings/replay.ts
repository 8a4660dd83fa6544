/** Runs one call through a provider as the gateway would, and keeps what was reported beside the reply. */
import { create } from "@bufbuild/protobuf";
import { INVALID_SPAN_CONTEXT, trace } from "@opentelemetry/api";
import { ChatRequestSchema, type ChatResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type Attempt, AttemptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { emptyTally } from "../../src/core/begin.ts";
import type { AttemptCall, Service } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import { fold } from "../../src/core/reply.ts";

export interface Replayed {
  /** Undefined when the call failed. */
  readonly response: ChatResponse | undefined;
  readonly failure: Failure | undefined;
  readonly attempt: Attempt;
}

/** Anything thrown but a Failure is thrown on. */
export async function replay(provider: Service<AttemptCall>, streaming: boolean): Promise<Replayed> {
  const attempt = create(AttemptSchema);
  try {
    const response = await fold(await provider(callOf(attempt, streaming)));
    return { response, failure: undefined, attempt };
  } catch (failure) {
    if (failure instanceof Failure) return { response: undefined, failure, attempt };
    throw failure;
  }
}

function callOf(attempt: Attempt, streaming: boolean): AttemptCall {
  const { signal } = new AbortController();
  return {
    context: {
      callId: "call-1",
      requestId: "request-1",
      startedAtMs: 0,
      principal: "anonymous",
      tenant: "internal",
      cacheScope: "",
      peer: "127.0.0.1",
      protocol: "rest",
      method: streaming ? "Stream" : "Chat",
      idempotencyKey: "",
      span: trace.wrapSpanContext(INVALID_SPAN_CONTEXT),
      signal,
      deadlineAtMs: undefined,
      replyHeaders: new Map(),
    },
    request: create(ChatRequestSchema, { messages: [{ role: "user", content: "Hello" }] }),
    labels: {},
    streaming,
    maxCost: undefined,
    signal,
    deadlineAtMs: undefined,
    tally: { ...emptyTally(), attempts: [attempt] },
    target: { provider: "openai", model: "any" },
    trigger: "first",
    alternatives: [],
    attempt,
    maxTokens: undefined,
  };
}
