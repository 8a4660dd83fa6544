/** Calls, replies and services to stand around a layer under test. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { INVALID_SPAN_CONTEXT, trace } from "@opentelemetry/api";
import {
  type ChatRequest,
  ChatRequestSchema,
  type StreamResponse,
} from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { EmbedRequestSchema } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { emptyTally } from "../../src/core/begin.ts";
import type { AttemptCall, Call, RequestContext, RoutedCall, Target, Trigger } from "../../src/core/call.ts";
import { labelsOf } from "../../src/core/labels.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { type Batch, event, type Reply } from "../../src/core/reply.ts";

export interface CallInit {
  readonly request?: MessageInitShape<typeof ChatRequestSchema>;
  /** Makes it a call for embeddings. */
  readonly embed?: MessageInitShape<typeof EmbedRequestSchema>;
  readonly context?: Partial<RequestContext>;
  readonly streaming?: boolean;
  readonly maxCost?: bigint;
  readonly signal?: AbortSignal;
  readonly deadlineAtMs?: number;
  readonly target?: Target;
  readonly trigger?: Trigger;
  readonly alternatives?: readonly Target[];
}

export const TARGET: Target = { provider: "openai", model: "gpt-4o" };

export function callOf(init: CallInit = {}): Call {
  const { embed, request = { messages: [{ role: "user", content: "Hello" }] } } = init;
  const { streaming = !embed } = init;
  const signal = init.signal ?? new AbortController().signal;
  const whole = embed ? create(EmbedRequestSchema, embed) : create(ChatRequestSchema, request);
  return {
    context: {
      callId: "call-1",
      requestId: "request-1",
      startedAtMs: 1_000_000,
      principal: "anonymous",
      tenant: "internal",
      cacheScope: "",
      peer: "192.0.2.1",
      protocol: "rest",
      method: embed ? "Embed" : streaming ? "Stream" : "Chat",
      idempotencyKey: "",
      span: trace.wrapSpanContext(INVALID_SPAN_CONTEXT),
      signal,
      deadlineAtMs: undefined,
      replyHeaders: new Map(),
      ...init.context,
    },
    request: whole,
    labels: labelsOf(whole),
    streaming,
    maxCost: init.maxCost as PicoUsd | undefined,
    signal,
    deadlineAtMs: init.deadlineAtMs,
    tally: emptyTally(),
  };
}

/** The request of a chat. */
export function chatOf({ request }: Call): ChatRequest {
  if (request.$typeName !== "llmgateway.v1.ChatRequest") throw new Error(`a ${request.$typeName}`);
  return request;
}

export function routedCallOf(init: CallInit = {}): RoutedCall {
  const { target = TARGET, trigger = "first", alternatives = [] } = init;
  return { ...callOf(init), target, trigger, alternatives };
}

export function attemptCallOf(init: CallInit & { maxTokens?: number } = {}): AttemptCall {
  const call = routedCallOf(init);
  const attempt = attemptOf({ provider: call.target.provider, model: call.target.model });
  call.tally.attempts.push(attempt);
  return { ...call, attempt, maxTokens: init.maxTokens };
}

export function attemptOf(fields: Partial<Omit<Attempt, "$typeName">> = {}): Attempt {
  return {
    $typeName: "llmgateway.v1.Attempt",
    number: 1,
    provider: TARGET.provider,
    model: TARGET.model,
    outcome: "pending",
    failureKind: "",
    latencyMs: 0,
    priceVersion: "",
    servedModel: "",
    lineItems: [],
    priceAssumed: false,
    trigger: "first",
    ...fields,
  };
}

/** A reply that says these batches, and then throws what it ends with, if anything. */
export function replyOf(batches: Iterable<Batch>, endsWith?: Error): Reply {
  async function* events() {
    yield* batches;
    if (endsWith) throw endsWith;
  }
  return { events: events() };
}

/** A token an event and an event a batch, and `done` behind them. */
export function spoken(tokens: readonly string[], finishReason = "stop"): Batch[] {
  return [...tokens.map((token) => [event({ token })]), [event({ done: true, finishReason })]];
}

/** Everything that a reply says, in one list. */
export async function eventsOf(reply: Reply): Promise<StreamResponse[]> {
  const events: StreamResponse[] = [];
  for await (const batch of reply.events) events.push(...batch);
  return events;
}
