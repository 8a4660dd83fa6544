/**
 * Tells each call once it is over: the receipt to the caller, one log event, one
 * set of metrics, the attributes of the request's span.
 */

import type { Span } from "@opentelemetry/api";
import type { Receipt, Route } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { type Call, type Layer, operationOf } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure, toFailure } from "../core/failure.ts";
import type { CallRow } from "../core/ledger.ts";
import { receiptOf, tellingOf } from "../core/receipt.ts";
import { redact } from "../core/redact.ts";
import type { Batch, Whole } from "../core/reply.ts";
import { UnderWay } from "../core/under-way.ts";
import { modelLabel } from "../telemetry/attempts.ts";
import { countCached } from "../telemetry/cache.ts";
import { type Logger, levelOf, writeEvent } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { describeModeration, moderationEvent } from "../telemetry/moderation.ts";
import { failSpan, traceFields } from "../telemetry/trace.ts";

export interface Signals {
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * @param book told of each call once it is over
 * @param underWay counts the calls until then
 */
export function record(
  signals: Signals,
  clock: Clock,
  book: (row: CallRow) => void = () => {},
  underWay = new UnderWay(),
): Layer {
  return (next) => async (call) => {
    const recorded = new Recorded(call, signals, clock, book, underWay);
    try {
      const reply = await next(call);
      if (reply.whole) return { ...reply, whole: recorded.tell(reply.whole) };
      return { ...reply, events: recorded.watch(reply.events) };
    } catch (error) {
      throw recorded.fail(error);
    }
  };
}

class Recorded {
  private readonly call: Call;
  private readonly signals: Signals;
  private readonly clock: Clock;
  private readonly book: (row: CallRow) => void;
  private readonly underWay: UnderWay;
  private firstEventMs: number | undefined;
  private over = false;

  constructor(call: Call, signals: Signals, clock: Clock, book: (row: CallRow) => void, underWay: UnderWay) {
    this.call = call;
    this.signals = signals;
    this.clock = clock;
    this.book = book;
    this.underWay = underWay;
    underWay.begin();
    signals.metrics.inFlight.inc({ route: this.route });
  }

  /** An answer that is whole is over at once. */
  tell({ content }: Whole): Whole {
    this.firstEventMs = this.elapsedMs();
    const receipt = receiptOf(this.call);
    this.end(receipt, undefined, content.finishReason);
    return { content, receipt };
  }

  async *watch(events: AsyncIterable<Batch>): AsyncGenerator<Batch> {
    try {
      for await (const batch of events) {
        this.firstEventMs ??= this.elapsedMs();
        const last = batch.at(-1);
        if (last?.done) {
          last.receipt = receiptOf(this.call);
          this.end(last.receipt, undefined, last.finishReason);
        }
        yield batch;
      }
    } catch (error) {
      throw this.fail(error);
    } finally {
      if (!this.over) this.fail(new Failure("cancelled", "the reply was not read to its end"));
    }
  }

  /** The failure, with the receipt of what was spent. */
  fail(error: unknown): Failure {
    const failure = toFailure(error);
    const receipt = receiptOf(this.call);
    if (receipt.attempts.length > 0) failure.receipt = receipt;
    failure.recorded = true;
    if (failure.suspended) this.leave();
    else this.end(receipt, failure, undefined);
    return failure;
  }

  /** It goes on elsewhere, and is told there. */
  private leave(): void {
    if (this.over) return;
    this.over = true;
    this.underWay.end();
    this.signals.metrics.inFlight.dec({ route: this.route });
  }

  private end(receipt: Receipt, failure: Failure | undefined, finishReason: string | undefined): void {
    if (this.over) return;
    this.over = true;
    this.underWay.end();
    this.count(receipt, failure);
    this.log(receipt, failure, finishReason);
    this.describe(receipt, failure, finishReason);
    const { outlived, cache, served } = this.call.tally;
    const endedAtMs = this.clock.now();
    const book = (final: Receipt) => this.book(this.rowOf(final, endedAtMs, failure, finishReason));
    // Its row has what its attempts come to for others too, which its caller cannot wait for. What a cache gives those
    // is nothing that this one was spared.
    const own = () => ({ ...this.call, tally: { ...this.call.tally, cache, served } });
    if (outlived) void outlived.then(() => book(receiptOf(own())));
    else book(receipt);
  }

  private rowOf(
    receipt: Receipt,
    endedAtMs: number,
    failure: Failure | undefined,
    finishReason: string | undefined,
  ): CallRow {
    const { context } = this.call;
    const { callId, startedAtMs, tenant, principal, method, protocol, span } = context;
    return {
      callId,
      traceId: span.spanContext().traceId,
      startedAtMs,
      endedAtMs,
      tenant,
      principal,
      tags: this.call.labels,
      method,
      operation: operationOf(this.call),
      protocol,
      outcome: failure?.outcome ?? "ok",
      failureKind: failure?.kind ?? "",
      finishReason: finishReason ?? "",
      receipt,
      ...(this.call.tally.experiment ? { experiment: this.call.tally.experiment } : {}),
    };
  }

  private count(receipt: Receipt, failure: Failure | undefined): void {
    const { metrics } = this.signals;
    const { route } = this;
    metrics.inFlight.dec({ route });
    if (failure) metrics.failures.inc({ kind: failure.kind, route });
    const { served } = this.call.tally;
    if (receipt.attempts.length === 0 && !served) return;
    const { provider } = receipt;
    const model = served?.model ?? modelLabel(tellingOf(receipt.attempts));
    metrics.requests.inc({ provider, model, route, success: failure ? "false" : "true" });
    countCached(metrics, this.call.tally, { provider, model });
    metrics.latencyMs.observe({ provider, model }, this.elapsedMs());
  }

  private log(receipt: Receipt, failure: Failure | undefined, finishReason: string | undefined): void {
    const { context, labels } = this.call;
    const { cost } = receipt;
    const event = {
      request_id: receipt.requestId,
      ...traceFields(context.span),
      method: context.method,
      protocol: context.protocol,
      principal: context.principal,
      tenant: context.tenant,
      peer: context.peer,
      provider: receipt.provider,
      // A failed call may name anything as its model, a key included.
      model: failure ? redact(receipt.model) : receipt.model,
      route: receipt.route?.policy,
      route_name: receipt.route?.name || undefined,
      fallback_chain: receipt.route?.fallbackChain || undefined,
      experiment: receipt.experiment?.name,
      variant: receipt.experiment?.variant,
      outcome: failure?.outcome ?? "ok",
      finish_reason: finishReason,
      failure_kind: failure?.kind,
      failure: failure?.message,
      operator: failure?.operator,
      latency_ms: this.elapsedMs(),
      first_event_ms: this.firstEventMs,
      attempts: receipt.attempts.length,
      ...triggersOf(receipt),
      template: receipt.template && `${receipt.template.name}@${receipt.template.version}`,
      cache: receipt.cache?.outcome,
      cache_kind: receipt.cacheKind || undefined,
      cache_reason: receipt.cache?.reason || undefined,
      cache_similarity: receipt.cache?.similarity,
      cache_shadow: this.call.tally.shadow?.outcome,
      cache_shadow_similarity: this.call.tally.shadow?.similarity,
      moderation: moderationEvent(receipt.moderation),
      saved_usd: receipt.cached ? cost?.savedUsd : undefined,
      input_tokens: cost?.inputTokens,
      output_tokens: cost?.outputTokens,
      cached_input_tokens: cost?.cachedInputTokens,
      reasoning_tokens: cost?.reasoningTokens,
      cost_usd: cost?.actualUsd,
      cost_pico_usd: cost?.actualPicoUsd?.toString(),
      estimated_usd: cost?.estimatedUsd,
      provenance: cost?.provenance,
      price_version: cost?.priceVersion,
      metadata: Object.keys(labels).length > 0 ? labels : undefined,
    };
    writeEvent(this.signals.logger, levelOf(failure), event, "call");
  }

  private describe(receipt: Receipt, failure: Failure | undefined, finishReason: string | undefined): void {
    const { span } = this.call.context;
    if (!span.isRecording()) return;
    span.setAttributes({
      "gen_ai.provider.name": receipt.provider,
      "gen_ai.request.model": receipt.model,
      "gen_ai.usage.input_tokens": receipt.cost?.inputTokens,
      "gen_ai.usage.output_tokens": receipt.cost?.outputTokens,
      "llmgateway.cost_usd": receipt.cost?.actualUsd,
      "llmgateway.attempts": receipt.attempts.length,
      "llmgateway.route": receipt.route?.policy,
      "llmgateway.experiment": receipt.experiment?.name,
      "llmgateway.experiment.variant": receipt.experiment?.variant,
      "llmgateway.template.name": receipt.template?.name,
      "llmgateway.template.version": receipt.template?.version,
      "llmgateway.cache": receipt.cache?.outcome,
      "llmgateway.cache.kind": receipt.cacheKind || undefined,
      "llmgateway.cache.source_request_id": receipt.cache?.sourceRequestId || undefined,
    });
    if (receipt.route) describeRoute(span, receipt.route);
    describeModeration(span, receipt.moderation);
    for (const [trigger, count] of Object.entries(triggersOf(receipt)))
      span.setAttribute(`llmgateway.${trigger}`, count);
    if (finishReason) span.setAttribute("gen_ai.response.finish_reasons", [finishReason]);
    if (failure) failSpan(span, failure.kind, failure.message);
  }

  private elapsedMs(): number {
    return this.clock.now() - this.call.context.startedAtMs;
  }

  /** The RPC, as metrics call it. */
  private get route(): string {
    return this.call.context.method.toLowerCase();
  }
}

/** Who was considered and could not be asked is an event each. */
function describeRoute(span: Span, { name, fallbackChain, candidates }: Route): void {
  if (name) span.setAttribute("llmgateway.route.name", name);
  if (fallbackChain) span.setAttribute("llmgateway.route.fallback_chain", fallbackChain);
  if (candidates.length === 0) return;
  span.setAttribute("llmgateway.route.candidates", candidates.length);
  for (const { provider, model, eligible, reason } of candidates) {
    if (eligible) continue;
    span.addEvent("llmgateway.candidate_excluded", {
      "gen_ai.provider.name": provider,
      "gen_ai.request.model": model,
      "llmgateway.reason": reason,
    });
  }
}

/** How many attempts there were beside the first, by what they were made for. */
function triggersOf({ attempts }: Receipt): Readonly<Record<string, number>> {
  if (attempts.length < 2) return NONE;
  const count = (trigger: string) => attempts.filter((attempt) => attempt.trigger === trigger).length;
  return { retries: count("retry"), hedges: count("hedge"), fallbacks: count("fallback") };
}

const NONE = {};
