/** One call to the gateway: its id, its deadline, who can abort it, and what its failure was. It does not know the RPC. */
import {
  create,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createContextKey,
  createContextValues,
  type Interceptor,
  type CallOptions as RpcOptions,
} from "@connectrpc/connect";
import type { Clock } from "./clock.ts";
import { cancelled, GatewayError, readFailure } from "./error.ts";

/** What one call may differ in. */
export interface CallOptions {
  /** Ends the call, and with it the provider's work. */
  readonly signal?: AbortSignal | undefined;
  /** The most time that the call may take, its retries included; in place of the client's `timeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** More headers to send. An `authorization` among them goes before `apiKey`. */
  readonly headers?: RpcOptions["headers"];
  /** The id by which the gateway's log shall know the call; up to 128 letters, digits and `._:-`. */
  readonly requestId?: string | undefined;
}

/** What all calls of one client have in common. */
export interface CallSettings {
  readonly baseUrl: string;
  readonly timeoutMs: number | undefined;
  readonly timeoutHeader: "connect-timeout-ms" | "grpc-timeout";
  readonly clock: Clock;
  /** What is asked for is done later, and the request's own `timeoutMs` is about that. */
  readonly isForLater?: boolean;
}

/**
 * The gateway keeps the deadline, and its answer then says what was spent. Only when that answer does not come does
 * the client give up by itself.
 */
const GRACE_MS = 500;
/** Eight digits are the most that gRPC can say; it is more than a day. */
const MAX_TIMEOUT_MS = 99_999_999;

const PROGRESS = createContextKey<{ sent: boolean }>({ sent: false });

/** The innermost interceptor: what fails before it never left. */
export const markSent: Interceptor = (next) => (request) => {
  request.contextValues.get(PROGRESS).sent = true;
  return next(request);
};

export class Call<Schema extends DescMessage = DescMessage> {
  readonly message: MessageShape<Schema>;
  /** The caller's, until the gateway says by which it knows the call. */
  requestId: string;
  private readonly schema: Schema;
  private readonly settings: CallSettings;
  private readonly headers: Headers;
  private readonly abort = new AbortController();
  private readonly signal: AbortSignal;
  private readonly deadlineMs: number;
  private readonly timer: { cancel(): void } | undefined;
  private late = false;
  private progress = { sent: false };

  /** Throws a GatewayError for a request, a header or a time that cannot be. */
  constructor(
    schema: Schema,
    request: MessageInitShape<Schema>,
    options: CallOptions,
    settings: CallSettings,
  ) {
    this.schema = schema;
    this.message = create(schema, request);
    this.settings = settings;
    this.requestId = options.requestId ?? newId();
    try {
      this.headers = new Headers(options.headers);
      this.headers.set("x-request-id", this.requestId);
    } catch (cause) {
      throw notSent(textOf(cause), cause);
    }
    this.signal = options.signal ? AbortSignal.any([options.signal, this.abort.signal]) : this.abort.signal;
    // A request may say in itself how long it may take.
    const { timeoutMs } = this.message as { timeoutMs?: number };
    const own = settings.isForLater ? undefined : timeoutMs;
    const limits = [options.timeoutMs ?? settings.timeoutMs, own].filter((limit) => limit !== undefined);
    const limitMs = Math.min(...limits, MAX_TIMEOUT_MS);
    if (!(limitMs > 0)) throw notSent("timeoutMs must be above 0", undefined);
    this.deadlineMs = limits.length > 0 ? settings.clock.now() + limitMs : Number.POSITIVE_INFINITY;
    if (limits.length > 0) this.timer = settings.clock.after(limitMs + GRACE_MS, () => this.giveUp());
  }

  /** For the next attempt. Throws a GatewayError when the call is over already. */
  attempt(): RpcOptions {
    if (this.signal.aborted) throw this.failure(this.signal.reason);
    this.progress = { sent: false };
    const headers = new Headers(this.headers);
    headers.set("x-request-id", this.requestId);
    if (this.remainingMs < Number.POSITIVE_INFINITY) {
      const { timeoutHeader } = this.settings;
      const ms = Math.max(1, Math.ceil(this.remainingMs));
      headers.set(timeoutHeader, timeoutHeader === "grpc-timeout" ? `${ms}m` : `${ms}`);
    }
    return {
      headers,
      signal: this.signal,
      contextValues: createContextValues().set(PROGRESS, this.progress),
      onHeader: (received) => {
        this.requestId = received.get("x-request-id") ?? this.requestId;
      },
    };
  }

  /** Whether the gateway does it once, however often it is sent. */
  get isIdempotent(): boolean {
    // Of a key in the headers, an RPC whose requests have none takes no notice.
    if (!this.schema.field.idempotencyKey) return false;
    const { idempotencyKey } = this.message as { idempotencyKey?: string };
    return Boolean(idempotencyKey) || this.headers.has("idempotency-key");
  }

  get remainingMs(): number {
    return this.deadlineMs - this.settings.clock.now();
  }

  /** Resolves after so long, or rejects as soon as the call is over. */
  wait(delayMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = this.settings.clock.after(delayMs, resolve);
    const leave = () => reject(this.signal.reason);
    this.signal.addEventListener("abort", leave, { once: true });
    if (this.signal.aborted) leave();
    return promise.finally(() => {
      timer.cancel();
      this.signal.removeEventListener("abort", leave);
    });
  }

  /** Lets the clock go, and the connection too if the call still has one. */
  close(): void {
    this.timer?.cancel();
    this.abort.abort();
  }

  /** Why the call failed. What the gateway said goes before what happened here. */
  failure(cause: unknown, begun = false): GatewayError {
    if (cause instanceof GatewayError) return cause;
    const error = ConnectError.from(cause);
    if (error.cause instanceof GatewayError) return error.cause;
    const told = readFailure(error, this.requestId);
    if (told) return told;
    const { requestId } = this;
    const local = (kind: string, code: Code, message: string) =>
      new GatewayError(kind, code, message, { requestId, cause });
    if (this.late || error.code === Code.DeadlineExceeded || isTimeout(this.signal.reason)) {
      return local("deadline_exceeded", Code.DeadlineExceeded, "not finished within the caller's deadline");
    }
    if (this.signal.aborted) return cancelled(requestId, cause);
    const reason = this.progress.sent ? this.unencodable() : error.rawMessage;
    if (reason !== undefined) return notSent(reason, cause, requestId);
    const why = rootOf(error);
    return begun
      ? local("connection_lost", Code.Unavailable, `the connection to the gateway broke (${why})`)
      : local(
          "gateway_unreachable",
          Code.Unavailable,
          `no gateway answers at ${this.settings.baseUrl} (${why})`,
        );
  }

  private giveUp(): void {
    this.late = true;
    this.abort.abort();
  }

  /** What the encoder objects to, if it does; asked only once a call has failed. */
  private unencodable(): string | undefined {
    try {
      toBinary(this.schema, this.message);
      return undefined;
    } catch (error) {
      return textOf(error);
    }
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function notSent(message: string, cause: unknown, requestId?: string): GatewayError {
  return new GatewayError("not_sent", Code.InvalidArgument, `the call was not sent: ${message}`, {
    requestId,
    cause,
  });
}

/** As AbortSignal.timeout aborts. */
function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "TimeoutError";
}

/** `fetch` says only that it failed; what lies below says why. */
function rootOf(error: ConnectError): string {
  let message = error.rawMessage;
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause)
    message = cause.message || message;
  return message;
}

/** A UUID, without `randomUUID`, which browsers keep from pages that came without TLS. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, "$1-$2-4$3-8$4-$5");
}
