/**
 * Sends copies of a call elsewhere once the caller's answer has begun, and compares what is said. The caller waits for
 * none of it. Who is sent copies, and how many, is for the experiment to say.
 */
import { SpanKind } from "@opentelemetry/api";
import { lexicalVector } from "../cache/semantic/lexical.ts";
import { beginCall } from "../core/begin.ts";
import { type Call, type Compared, type Layer, type Service, SHADOWING } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import type { PicoUsd } from "../core/money.ts";
import { receiptOf } from "../core/receipt.ts";
import { type Batch, fold } from "../core/reply.ts";
import type { UnderWay } from "../core/under-way.ts";
import type { Held } from "../experiments/cap.ts";
import { sentBy } from "../experiments/entrants.ts";
import type { ShadowRule } from "../experiments/laboratory.ts";
import { startChildSpan } from "../telemetry/trace.ts";

/** A copy that may be sent. */
export interface Copy {
  readonly experiment: string;
  readonly rule: ShadowRule;
  readonly held: Held;
  compared(comparison: Compared): void;
}

export interface ShadowMeans {
  /** Asked once the answer has begun. */
  copiesOf(call: Call): readonly Copy[];
  readonly newCallId: () => string;
  readonly clock: Clock;
  /** Ends all copies. */
  readonly signal: AbortSignal;
  readonly underWay: UnderWay;
}

interface Said {
  readonly text: string;
  readonly finishReason: string;
}

/** Texts are compared as far as this. */
const MAX_CHARACTERS = 8_000;

/** @param send where copies go: past all that is about the caller */
export function shadow(means: ShadowMeans, send: Service): Layer {
  return (next) => async (call) => {
    const reply = await next(call);
    const copies = means.copiesOf(call);
    if (copies.length === 0) return reply;
    const { events, said } = overheard(reply.events);
    for (const copy of copies) void follow(copy, call, said, means, send);
    return { ...reply, events };
  };
}

/** Never rejects. */
async function follow(
  copy: Copy,
  call: Call,
  heard: Promise<Said | undefined>,
  { newCallId, clock, signal, underWay }: ShadowMeans,
  send: Service,
): Promise<void> {
  underWay.begin();
  const copied = copyOf(call, copy, { callId: newCallId(), startedAtMs: clock.now(), signal });
  try {
    const { response, finishReason } = await fold(await send(copied));
    const answer = await heard;
    if (answer) copy.compared(comparisonOf({ text: response, finishReason }, answer));
  } catch {
    // What became of it is told where its attempts are.
  } finally {
    copy.held.settle(receiptOf(copied).cost?.actualPicoUsd as PicoUsd | undefined);
    copied.context.span.end();
    underWay.end();
  }
}

/** A call of its own, for nobody: without the caller's key, labels, session and limits. */
function copyOf(
  { context, request }: Call,
  { experiment, rule, held }: Copy,
  own: { readonly callId: string; readonly startedAtMs: number; readonly signal: AbortSignal },
): Call {
  if (request.$typeName !== "llmgateway.v1.ChatRequest") throw new Error("only chats are copied");
  const { maxCostUsd: _, resilience: __, ...asked } = sentBy(request, rule);
  const requestId = `${context.requestId.slice(0, 120)}.shadow`;
  const copied = beginCall(
    {
      ...asked,
      stream: false,
      cache: "bypass",
      experiment: "none",
      idempotencyKey: "",
      sessionId: "",
      fallbackChain: "none",
      timeoutMs: rule.timeoutMs,
      metadata: { experiment, shadow: rule.name },
      resilience: { $typeName: "llmgateway.v1.Resilience", maxRetries: 0, hedge: false },
    },
    {
      ...context,
      ...own,
      requestId,
      principal: `experiment:${experiment}`,
      method: SHADOWING,
      idempotencyKey: "",
      deadlineAtMs: undefined,
      replyHeaders: new Map(),
      span: startChildSpan(context.span, "llmgateway.shadow", SpanKind.INTERNAL, {
        "llmgateway.request_id": requestId,
      }),
    },
    false,
  );
  copied.tally.experiment = { name: experiment, variant: rule.name, group: 0 };
  return { ...copied, maxCost: held.most };
}

/** The same events, and what they say in the end; undefined when they do not end well. */
function overheard(events: AsyncIterable<Batch>): {
  readonly events: AsyncGenerator<Batch>;
  readonly said: Promise<Said | undefined>;
} {
  const { promise, resolve } = Promise.withResolvers<Said | undefined>();
  async function* listen(): AsyncGenerator<Batch> {
    let text = "";
    try {
      for await (const batch of events) {
        for (const { token, index = 0, done, finishReason = "" } of batch) {
          if (token !== undefined && index === 0 && text.length <= MAX_CHARACTERS) text += token;
          if (done) resolve({ text, finishReason });
        }
        yield batch;
      }
    } finally {
      resolve(undefined);
    }
  }
  return { events: listen(), said: promise };
}

function comparisonOf(copy: Said, answer: Said): Compared {
  const [one, other] = [copy.text.slice(0, MAX_CHARACTERS), answer.text.slice(0, MAX_CHARACTERS)];
  const equal = one === other;
  return {
    equal,
    sameFinish: copy.finishReason === answer.finishReason,
    similarity: equal ? 1 : likeness(one, other),
    lengthRatio: (one.length + 1) / (other.length + 1),
  };
}

function likeness(one: string, other: string): number {
  const [a, b] = [lexicalVector(one), lexicalVector(other)];
  if (!a || !b) return 0;
  return Math.max(
    0,
    Math.min(
      1,
      a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0),
    ),
  );
}
