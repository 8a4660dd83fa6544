/** Failures as the protocols say them: a Connect error, its JSON for plain HTTP, and an event for streams. */
import { create, type DescMessage, type JsonValue } from "@bufbuild/protobuf";
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/ts/google/rpc/error_details_pb.ts";
import { type WarmCacheResponse, WarmCacheResponseSchema } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type CompareEvent, CompareEventSchema } from "../../gen/ts/llmgateway/v1/compare_pb.ts";
import { type JobEvent, JobEventSchema } from "../../gen/ts/llmgateway/v1/job_pb.ts";
import { type Receipt, ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Failure } from "../core/failure.ts";
import { JSON_OPTIONS } from "../core/json.ts";
import { event } from "../core/reply.ts";
import { shortReceipt } from "./short-receipt.ts";

type Detail = NonNullable<ConstructorParameters<typeof ConnectError>[3]>[number];

/** With `google.rpc` details and, where money was spent, the receipt, as long as it may be; what it lacks is told. */
export function toConnectError(failure: Failure): ConnectError {
  const short = failure.receipt && shortReceipt(failure.receipt);
  const metadata = short?.leftOut ?? {};
  const details: Detail[] = [
    { desc: ErrorInfoSchema, value: { reason: failure.kind, domain: "llmgateway", metadata } },
  ];
  if (failure.violations.length > 0) {
    details.push({ desc: BadRequestSchema, value: { fieldViolations: [...failure.violations] } });
  }
  if (failure.retryAfterMs !== undefined) {
    details.push({ desc: RetryInfoSchema, value: { retryDelay: durationFromMs(failure.retryAfterMs) } });
  }
  if (short) details.push({ desc: ReceiptSchema, value: short.receipt });
  const headers = new Headers([...(failure.replyHeaders ?? [])]);
  if (failure.retryAfterMs !== undefined) headers.set("retry-after", retryAfter(failure.retryAfterMs));
  return new ConnectError(failure.message, failure.traits.code, headers, details, failure);
}

/** Connect's own shape: `{"code", "message", "details"}`. */
export function toErrorJson(failure: Failure): JsonValue {
  return errorToJson(toConnectError(failure), JSON_OPTIONS) as JsonValue;
}

/**
 * The last event of a stream that broke off.
 *
 * @param output the type of the stream's events
 */
export function toErrorEvent(
  failure: Failure,
  output: DescMessage,
): StreamResponse | JobEvent | WarmCacheResponse | CompareEvent {
  const last = brokenOff(failure);
  if (output === CompareEventSchema)
    return { $typeName: "llmgateway.v1.CompareEvent", model: "", error: last.error };
  if (output === WarmCacheResponseSchema)
    return { $typeName: "llmgateway.v1.WarmCacheResponse", done: false, error: last.error };
  return output === JobEventSchema ? { $typeName: "llmgateway.v1.JobEvent", output: last } : last;
}

/** What tells within a stream of answers that one broke off. */
export function brokenOff(failure: Failure): StreamResponse {
  return event({
    error: {
      $typeName: "llmgateway.v1.StreamError",
      kind: failure.kind,
      message: failure.message,
      receipt: failure.receipt as Receipt,
      retryInfo:
        failure.retryAfterMs === undefined
          ? undefined
          : create(RetryInfoSchema, { retryDelay: durationFromMs(failure.retryAfterMs) as Duration }),
    },
  });
}

/** Whole seconds, rounded up, as the header wants them. */
export function retryAfter(ms: number): string {
  return String(Math.ceil(ms / 1000));
}
