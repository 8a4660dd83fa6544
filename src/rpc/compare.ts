/** Asks several models the same at once, and tells the words of each as they come. How a model is asked is the stack's to know. */
import { randomUUIDv7 } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { SpanKind } from "@opentelemetry/api";
import type { ChatRequest, StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import {
  type CompareEvent,
  type CompareRequest,
  type CompareTotals,
  CompareTotalsSchema,
} from "../../gen/ts/llmgateway/v1/compare_pb.ts";
import type { Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { beginCall } from "../core/begin.ts";
import type { Call, RequestContext, Service } from "../core/call.ts";
import { Failure, invalidRequest, NOTHING_SAID, toFailure, type Violation } from "../core/failure.ts";
import { retold } from "../core/failure-anew.ts";
import { fingerprintOf, idempotencyKeyOf } from "../core/idempotency.ts";
import { fromUsd, lesser, type PicoUsd, toUsd, ZERO } from "../core/money.ts";
import { receiptOf } from "../core/receipt.ts";
import type { Batch } from "../core/reply.ts";
import { sideBySide } from "../core/side-by-side.ts";
import { startChildSpan } from "../telemetry/trace.ts";
import { brokenOff } from "./errors.ts";
import { sharesOf } from "./shares.ts";

export interface Means {
  readonly service: Service;
  /** What a request is expected to cost; undefined when that is not known. Throws the Failure that would refuse it. */
  preview(request: ChatRequest, context: RequestContext): Promise<{ estimated: PicoUsd | undefined }>;
}

/**
 * An event for each that a model tells, and one with the totals.
 *
 * @throws Failure that of the first model when none has said a word; and that which ended the whole
 */
export async function* compare(
  message: CompareRequest,
  context: RequestContext,
  means: Means,
): AsyncGenerator<readonly CompareEvent[]> {
  const { models } = message;
  const requests = requestsOf(message, context);
  const shares = await sharesAmong(requests, message.maxCostUsd, context, means);
  const asked = requests.map((request, index) => new Asked(index, request, context, shares[index]));
  const end = (why: Failure) => {
    for (const one of asked) one.abort(why);
  };
  const onAbort = () => end(toFailure(context.signal.reason));
  context.signal.addEventListener("abort", onAbort, { once: true });
  if (context.signal.aborted) onAbort();
  const failures = new Map<number, Failure>();
  const totals = new Totals();
  // Until one has said a word, the whole may still fail.
  let held: CompareEvent[] | undefined = [];
  const answers = asked.map((one) => one.answer(means.service));
  const leave = () => end(new Failure("cancelled", "the comparison was not read to its end"));
  try {
    for await (const told of sideBySide(answers, leave)) {
      const { from } = told;
      const of = (event: StreamResponse) => eventOf({ index: from, model: models[from] ?? "", event });
      if (told.kind === "item") {
        for (const { done, receipt } of told.item) if (done) totals.served(receipt);
        const before = held ?? [];
        held = undefined;
        yield [...before, ...told.item.map(of)];
      } else if (told.kind === "failed") {
        const failure = toFailure(told.error);
        failures.set(from, failure);
        totals.failed(failure.receipt);
        if (held) held.push(of(brokenOff(failure)));
        else yield [of(brokenOff(failure))];
      }
    }
  } finally {
    context.signal.removeEventListener("abort", onAbort);
  }
  if (held) throw failureOfAll(asked, failures);
  if (context.signal.aborted) throw reasonOf(context, failures.size > 0);
  yield [eventOf({ model: "", totals: totals.told() })];
}

/** What each model is asked. */
function requestsOf({ request, models }: CompareRequest, context: RequestContext): ChatRequest[] {
  if (!request) throw invalidRequest([{ field: "request", description: "is missing" }]);
  const violations: Violation[] = (["model", "model_version"] as const)
    .filter((field) => request[field === "model" ? "model" : "modelVersion"])
    .map((field) => ({
      field: `request.${field}`,
      description: "must be empty here: models says who is asked",
    }));
  if (request.messages.length === 0 && request.template === "")
    violations.push({ ...NOTHING_SAID, field: `request.${NOTHING_SAID.field}` });
  if (violations.length > 0) throw invalidRequest(violations);
  const key = idempotencyKeyOf(request, context);
  return models.map((model) => ({
    ...request,
    model,
    stream: false,
    // Each is a call of its own, which is made once.
    idempotencyKey: key && fingerprintOf([key, model]),
  }));
}

/** What each may cost at most; empty for no limit. */
async function sharesAmong(
  requests: readonly ChatRequest[],
  maxCostUsd: number | undefined,
  context: RequestContext,
  { preview }: Means,
): Promise<readonly PicoUsd[]> {
  if (maxCostUsd === undefined) return [];
  const expected = requests.map((request) =>
    preview(request, context).then(
      ({ estimated }) => estimated ?? ZERO,
      // What refuses it will refuse the call too, and is told there.
      () => ZERO,
    ),
  );
  return sharesOf(fromUsd(maxCostUsd), await Promise.all(expected));
}

function eventOf(fields: Omit<CompareEvent, "$typeName">): CompareEvent {
  return { $typeName: "llmgateway.v1.CompareEvent", ...fields };
}

/** What ended the whole. Where calls were ended by it, they have told it. */
function reasonOf({ signal }: RequestContext, isTold: boolean): Failure {
  const failure = toFailure(signal.reason);
  failure.recorded ||= isTold;
  return failure;
}

/** The failure of the first of the models, with what all of them have spent. */
function failureOfAll(asked: readonly Asked[], failures: ReadonlyMap<number, Failure>): Failure {
  const [first] = asked;
  const failure = failures.get(0);
  if (!first || !failure) throw new Error("a model neither answered nor failed");
  const { call } = first;
  const attempts = asked.flatMap((one) => one.call.tally.attempts);
  if (attempts.length > 0) {
    const { provider, model } = receiptOf(call);
    // What the first was given was not given to all, whose attempts these are.
    const tally = { ...call.tally, attempts, served: undefined, cache: undefined };
    failure.receipt = { ...receiptOf({ ...call, tally }), provider, model };
  }
  return failure;
}

/** One model that is asked. */
class Asked {
  readonly call: Call;
  /** Its own, since a failure that ends a call bears that call's receipt. */
  private readonly ending = new AbortController();

  constructor(index: number, request: ChatRequest, context: RequestContext, share: PicoUsd | undefined) {
    const own = {
      ...context,
      callId: randomUUIDv7(),
      idempotencyKey: "",
      replyHeaders: new Map(),
      signal: this.ending.signal,
      span: startChildSpan(context.span, "llmgateway.compare", SpanKind.INTERNAL, {
        "llmgateway.request_id": context.requestId,
        "llmgateway.compare.index": index,
      }),
    };
    const call = beginCall(request, own, true);
    const { maxCost } = call;
    const most = maxCost === undefined || share === undefined ? (maxCost ?? share) : lesser(maxCost, share);
    this.call = { ...call, maxCost: most };
  }

  async *answer(service: Service): AsyncGenerator<Batch> {
    try {
      yield* (await service(this.call)).events;
    } finally {
      this.call.context.span.end();
    }
  }

  abort(why: Failure): void {
    this.ending.abort(retold(why));
  }
}

/** What all of them have come to. */
class Totals {
  private readonly totals = create(CompareTotalsSchema);
  private cost: bigint | undefined = ZERO;

  served(receipt: Receipt | undefined): void {
    this.totals.served++;
    this.add(receipt);
  }

  /** @param receipt undefined when nobody was called */
  failed(receipt: Receipt | undefined): void {
    this.totals.failed++;
    if (receipt) this.add(receipt);
  }

  told(): CompareTotals {
    const { totals, cost } = this;
    if (cost === undefined) return totals;
    return { ...totals, costPicoUsd: cost, costUsd: toUsd(cost as PicoUsd) };
  }

  private add(receipt: Receipt | undefined): void {
    const { inputTokens = 0, outputTokens = 0, totalTokens = 0, actualPicoUsd } = receipt?.cost ?? {};
    this.totals.inputTokens += inputTokens;
    this.totals.outputTokens += outputTokens;
    this.totals.totalTokens += totalTokens;
    this.cost =
      this.cost === undefined || actualPicoUsd === undefined ? undefined : this.cost + actualPicoUsd;
  }
}
