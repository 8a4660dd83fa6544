/** Has requests answered so that the cache keeps the answers, a few at once and within a budget. It keeps nothing itself. */
import { randomUUIDv7 } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { SpanKind } from "@opentelemetry/api";
import {
  type WarmCacheRequest,
  type WarmCacheResponse,
  WarmCacheResponseSchema,
  WarmCacheTotalsSchema,
  type WarmedRequest,
  WarmedRequestSchema,
} from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { type ChatRequest, ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { beginCall } from "../core/begin.ts";
import { type Call, type RequestContext, type Service, WARMING } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure, toFailure } from "../core/failure.ts";
import { fromUsd, lesser, type PicoUsd, toUsd } from "../core/money.ts";
import { receiptOf } from "../core/receipt.ts";
import { fold } from "../core/reply.ts";
import { startChildSpan } from "../telemetry/trace.ts";
import { Allowance } from "./allowance.ts";

/** A request, and for whom it is kept. */
export interface Wanted {
  readonly request: ChatRequest;
  readonly tenant: string;
  readonly cacheScope: string;
}

export interface Means {
  readonly service: Service;
  /** What a request is expected to cost; undefined when that is not known. Throws the Failure that would refuse it. */
  preview(request: ChatRequest, context: RequestContext): Promise<{ estimated: PicoUsd | undefined }>;
  /** Why an answer to the call may not be kept; empty when it may be. */
  objectionTo(call: Call): string;
  readonly clock: Clock;
}

const USUAL_CONCURRENCY = 4;

/** An event for each as it is done, and one with the totals. Ends with a Failure when the caller leaves. */
export async function* warm(
  wanted: readonly Wanted[],
  { maxCostUsd, concurrency, refresh }: WarmCacheRequest,
  context: RequestContext,
  means: Means,
): AsyncGenerator<readonly WarmCacheResponse[]> {
  const places = concurrency || USUAL_CONCURRENCY;
  const allowance = new Allowance(maxCostUsd === undefined ? undefined : fromUsd(maxCostUsd));
  const leaving = new AbortController();
  const signal = AbortSignal.any([context.signal, leaving.signal]);
  const totals = create(WarmCacheTotalsSchema, { requests: wanted.length });
  const underWay = new Map<number, Promise<WarmedRequest>>();
  const done = async (): Promise<readonly WarmCacheResponse[]> => {
    const request = await Promise.race(underWay.values());
    context.signal.throwIfAborted();
    underWay.delete(request.index);
    add(totals, request);
    return [create(WarmCacheResponseSchema, { request, totals: { ...totals } })];
  };
  try {
    for (const [index, one] of wanted.entries()) {
      const item = new Item(index, one, refresh, { ...context, signal }, means);
      await item.judge(maxCostUsd !== undefined);
      const isFull = () =>
        underWay.size >= places ||
        (underWay.size > 0 && !allowance.hasPlenty(item.estimated, places - underWay.size));
      while (isFull()) yield await done();
      underWay.set(index, item.answer(allowance, places - underWay.size));
    }
    while (underWay.size > 0) yield await done();
    yield [create(WarmCacheResponseSchema, { totals, done: true })];
  } finally {
    leaving.abort(new Failure("cancelled", "the warming ended"));
    await Promise.all(underWay.values());
  }
}

function add(totals: NonNullable<WarmCacheResponse["totals"]>, { outcome, costPicoUsd = 0n }: WarmedRequest) {
  if (outcome === "kept") totals.kept++;
  else if (outcome === "hit") totals.hits++;
  else if (outcome === "not_kept") totals.notKept++;
  else if (outcome === "skipped") totals.skipped++;
  else totals.failed++;
  totals.costPicoUsd += costPicoUsd;
  totals.costUsd = toUsd(totals.costPicoUsd as PicoUsd);
}

/** One request on its way. */
class Item {
  /** What it is expected to cost; undefined where that was not asked for or is not known. */
  estimated: PicoUsd | undefined;
  private readonly index: number;
  private readonly request: ChatRequest;
  private readonly context: RequestContext;
  private readonly means: Means;
  private objection = "";
  private refusal: Failure | undefined;

  constructor(index: number, wanted: Wanted, refresh: boolean, context: RequestContext, means: Means) {
    const { request, tenant, cacheScope } = wanted;
    this.index = index;
    this.request = create(ChatRequestSchema, {
      ...request,
      stream: false,
      idempotencyKey: "",
      cache: refresh ? "refresh" : "use",
    });
    this.context = { ...context, tenant, cacheScope, method: WARMING, idempotencyKey: "" };
    this.means = means;
  }

  /** Finds out what speaks against it, before it costs anything. Never rejects. */
  async judge(isPriced: boolean): Promise<void> {
    try {
      this.objection = this.means.objectionTo(beginCall(this.request, this.context, false));
      if (!isPriced || this.objection) return;
      this.estimated = (await this.means.preview(this.request, this.context)).estimated;
    } catch (error) {
      this.refusal = toFailure(error);
    }
  }

  /**
   * Never rejects.
   *
   * @param places how many may come beside it, itself included, with a share of the money each
   */
  async answer(allowance: Allowance, places: number): Promise<WarmedRequest> {
    if (this.refusal) return this.failed(this.refusal);
    if (this.objection) return this.told("skipped", { reason: this.objection });
    const share = allowance.take(this.estimated, places);
    if (share === "none")
      return this.told("skipped", {
        failureKind: "budget_exceeded",
        reason: "the rest of max_cost_usd is less than twice what it is expected to cost",
      });
    for (;;) {
      const call = this.callOf(share);
      try {
        const { finishReason } = await fold(await this.means.service(call));
        allowance.settle(share, receiptOf(call).cost?.actualPicoUsd);
        return this.answered(call, finishReason);
      } catch (error) {
        const failure = toFailure(error);
        const { retryAfterMs } = failure;
        if (failure.kind !== "rate_limited" || retryAfterMs === undefined || this.context.signal.aborted) {
          allowance.settle(share, receiptOf(call).cost?.actualPicoUsd);
          return this.failed(failure, call);
        }
        // It was not made; whoever warms can wait.
        await pause(retryAfterMs, this.means.clock, this.context.signal);
      } finally {
        call.context.span.end();
      }
    }
  }

  private callOf(share: PicoUsd | undefined): Call {
    const { context, index, means } = this;
    const requestId = `${context.requestId.slice(0, 120)}.${index}`;
    const call = beginCall(
      this.request,
      {
        ...context,
        callId: randomUUIDv7(),
        requestId,
        startedAtMs: means.clock.now(),
        replyHeaders: new Map(),
        span: startChildSpan(context.span, "llmgateway.warm", SpanKind.INTERNAL, {
          "llmgateway.request_id": requestId,
        }),
      },
      false,
    );
    const own = call.maxCost;
    return {
      ...call,
      maxCost: own === undefined || share === undefined ? (own ?? share) : lesser(own, share),
    };
  }

  private answered(call: Call, finishReason: string): WarmedRequest {
    const { cached, cache } = receiptOf(call);
    if (cached) return this.told("hit", {}, call);
    const reason = cache?.reason || (cache?.outcome === "miss" ? "" : "the cache was not asked");
    if (reason) return this.told("not_kept", { reason: `${reason} (${finishReason})` }, call);
    return this.told("kept", {}, call);
  }

  private failed({ kind, message }: Failure, call?: Call): WarmedRequest {
    return this.told("failed", { failureKind: kind, reason: message }, call);
  }

  private told(
    outcome: string,
    { failureKind = "", reason = "" }: { failureKind?: string; reason?: string },
    call?: Call,
  ): WarmedRequest {
    const { requestId = "", provider = "", model = "", cost } = call ? receiptOf(call) : {};
    const actual = call ? cost?.actualPicoUsd : 0n;
    return create(WarmedRequestSchema, {
      index: this.index,
      outcome,
      failureKind,
      reason,
      requestId,
      provider,
      model,
      ...(actual === undefined ? {} : { costPicoUsd: actual, costUsd: toUsd(actual as PicoUsd) }),
    });
  }
}

function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(ms, resolve);
    const leave = () => {
      timer.cancel();
      resolve();
    };
    signal.addEventListener("abort", leave, { once: true });
  });
}
