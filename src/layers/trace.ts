/** A span for each attempt at a provider, with what it used and what it cost. */
import { SpanKind } from "@opentelemetry/api";
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { type Layer, operationOf, type RoutedCall } from "../core/call.ts";
import { endAfter } from "../core/reply.ts";
import { failSpan, startChildSpan } from "../telemetry/trace.ts";

export function trace(): Layer<RoutedCall> {
  return (next) => async (call) => {
    if (!call.context.span.isRecording()) return next(call);
    const operation = operationOf(call);
    let attempt: Attempt | undefined;
    const span = startChildSpan(call.context.span, `${operation} ${call.target.model}`, SpanKind.CLIENT, {
      "gen_ai.operation.name": operation,
      "gen_ai.provider.name": call.target.provider,
      "gen_ai.request.model": call.target.model,
      "llmgateway.request_id": call.context.requestId,
      "llmgateway.trigger": call.trigger,
    });
    const end = () => {
      if (attempt) span.setAttributes(attributesOf(attempt));
      if (attempt?.failureKind) failSpan(span, attempt.failureKind, attempt.outcome);
      span.end();
    };
    try {
      const begun = (row: Attempt) => {
        attempt = row;
        span.setAttribute("llmgateway.attempt", row.number);
        call.begun?.(row);
      };
      const reply = await next({ ...call, begun });
      return { ...reply, events: endAfter(reply.events, end) };
    } catch (error) {
      end();
      throw error;
    }
  };
}

function attributesOf(attempt: Attempt) {
  return {
    "gen_ai.response.model": attempt.servedModel,
    "gen_ai.usage.input_tokens": attempt.usage?.inputTokens,
    "gen_ai.usage.output_tokens": attempt.usage?.outputTokens,
    "llmgateway.usage.provenance": attempt.usage?.provenance,
    "llmgateway.outcome": attempt.outcome,
    "llmgateway.cost_usd": attempt.actualUsd,
    "llmgateway.price_version": attempt.priceVersion,
  };
}
