/** The one error that a call can end with, and what the gateway's details say in it. It does not decide about retries. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type BadRequest_FieldViolation,
  BadRequestSchema,
  ErrorInfoSchema,
  type RetryInfo,
  RetryInfoSchema,
} from "../../../gen/ts/google/rpc/error_details_pb.ts";
import type { StreamError } from "../../../gen/ts/llmgateway/v1/error_pb.ts";
import { type Receipt, ReceiptSchema } from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";

/** What is known of a failure; whatever is not known is absent. */
export interface GatewayErrorDetails {
  readonly requestId?: string | undefined;
  readonly receipt?: Receipt | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly violations?: readonly BadRequest_FieldViolation[] | undefined;
  readonly cause?: unknown;
}

/**
 * A call that failed: refused by the gateway, failed at the provider, aborted, late, or never answered.
 * `message` is for people, and never holds a key.
 */
export class GatewayError extends Error {
  /**
   * Why it failed. A failure that the gateway tells has one of the kinds of its documentation, such as
   * `provider_rate_limited`, `budget_exceeded` or `cut`. This client adds three of its own:
   *
   * - `not_sent`: the call never left: a value that cannot be encoded, a key that could not be had, or an
   *   interceptor that threw. Nothing was spent.
   * - `gateway_unreachable`: no gateway answered: nothing listens there, the network failed, or something else
   *   answered, such as a proxy.
   * - `connection_lost`: the connection to the gateway broke after a stream's first event.
   *
   * `cancelled` and `deadline_exceeded` come from the gateway or from here, whichever noticed first.
   */
  readonly kind: string;
  /** The status, as Connect and gRPC number it. */
  readonly code: Code;
  /** The id by which the gateway's log knows the call, whether it was answered or not. */
  readonly requestId: string | undefined;
  /** What was spent, once the gateway had called a provider and could still tell. */
  readonly receipt: Receipt | undefined;
  /** When the gateway says that it is worth trying again. */
  readonly retryAfterMs: number | undefined;
  /** The fields of the request that are wrong, and how to mend each. */
  readonly violations: readonly BadRequest_FieldViolation[];
  /** What the call had cost, in US dollars: by the receipt, or else the last that a stream had told; absent if unknown. */
  readonly costUsd: number | undefined;
  /** The same, exactly, in trillionths of a dollar. */
  readonly costPicoUsd: bigint | undefined;
  /** Where the cost comes from: `measured`, `estimated` or `unknown`. An aborted stream's is `estimated` at best. */
  readonly provenance: string;
  /** The attempts before this one that failed and were made again, oldest first; each has its own receipt. */
  readonly previous: readonly GatewayError[] = [];

  constructor(kind: string, code: Code, message: string, details: GatewayErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.name = "GatewayError";
    this.kind = kind;
    this.code = code;
    this.requestId = details.requestId;
    this.receipt = details.receipt;
    this.retryAfterMs = details.retryAfterMs;
    this.violations = details.violations ?? [];
    this.costUsd = this.receipt?.cost?.actualUsd;
    this.costPicoUsd = this.receipt?.cost?.actualPicoUsd;
    this.provenance = this.receipt?.cost?.provenance || "unknown";
  }
}

/** What the gateway itself says of a failure; nothing when it is not the gateway that speaks. */
export function readFailure(error: ConnectError, requestId: string | undefined): GatewayError | undefined {
  const [info] = error.findDetails(ErrorInfoSchema);
  if (info?.domain !== "llmgateway") return undefined;
  return new GatewayError(info.reason, error.code, error.rawMessage, {
    requestId: error.metadata.get("x-request-id") ?? requestId,
    receipt: error.findDetails(ReceiptSchema)[0],
    retryAfterMs: delayOf(error.findDetails(RetryInfoSchema)[0]),
    violations: error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations),
    cause: error,
  });
}

/** What a stream's last event says of its failure; `cause` is the protocol's own error, which came behind it. */
export function readStreamFailure(
  { kind, message, receipt, retryInfo }: StreamError,
  cause: unknown,
  requestId: string | undefined,
): GatewayError {
  return new GatewayError(kind, ConnectError.from(cause).code, message, {
    requestId: receipt?.requestId || requestId,
    receipt,
    retryAfterMs: delayOf(retryInfo),
    cause,
  });
}

/** The caller left, and nobody could be asked what was spent. */
export function cancelled(requestId: string | undefined, cause: unknown): GatewayError {
  return new GatewayError("cancelled", Code.Canceled, "the caller aborted the call", { requestId, cause });
}

function delayOf(info: RetryInfo | undefined): number | undefined {
  return info?.retryDelay && durationMs(info.retryDelay);
}
