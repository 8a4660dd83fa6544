/**
 * The one way in. Every front, whatever its protocol, opens a request here and
 * hands over a message: context, authentication, validation, handler and error
 * mapping stand here once.
 */
import { randomUUIDv7 } from "node:crypto";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import type { Attributes } from "@opentelemetry/api";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { INTERNAL } from "../core/anonymous.ts";
import type { Protocol, RequestContext } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure, invalidRequest, toFailure } from "../core/failure.ts";
import { brokenRules } from "../core/rules.ts";
import type { Signals } from "../layers/record.ts";
import { levelOf, writeEvent } from "../telemetry/log.ts";
import { failSpan, type Headers, startRequestSpan, traceFields, traceparentOf } from "../telemetry/trace.ts";
import type { Authenticate } from "./auth.ts";

/** What a front knows of a request before its body. */
export interface Metadata {
  readonly protocol: Protocol;
  readonly headers: Headers;
  /** The caller's IP address. */
  readonly peer: string;
  /** The caller's deadline, from now; undefined when it has none. */
  readonly timeoutMs: number | undefined;
  /** Whether the front aborts the request by then; otherwise the door does. */
  readonly keepsTime: boolean;
}

/** One reply, or batches of them. Replies that are `like` the same differ in their `request_id` alone. */
export type Answer =
  | { readonly message: Message; readonly like?: object | undefined; readonly batches?: undefined }
  | { readonly batches: AsyncIterable<readonly Message[]>; readonly message?: undefined };

/** What an RPC does. Throws Failure; anything else counts as internal. */
export type Handler = (message: Message, context: RequestContext) => Promise<Answer>;

export interface Request {
  readonly context: RequestContext;
  /** Ends the work under way: the caller left. */
  abort(failure: Failure): void;
  /**
   * @param method another one with the same request, such as the streaming twin
   * @throws Failure
   */
  invoke(message: Message, method?: DescMethod): Promise<Answer>;
  /** Tells a failure that the front met, before or after `invoke`, and returns it as the caller may see it. */
  fail(error: unknown): Failure;
  /** The reply is out, or given up. Must be called once. */
  close(): void;
}

export interface DoorOptions {
  readonly handlers: ReadonlyMap<DescMethod, Handler>;
  /** Asked for each request, so that keys can change. */
  readonly authenticate: Authenticate;
  readonly signals: Signals;
  readonly clock: Clock;
}

export interface Door {
  /** @throws Failure `unauthenticated` or `permission_denied`, told already, with the headers of its reply */
  open(method: DescMethod, metadata: Metadata): Request;
  /** Tells a failure of something that is no RPC, such as an unknown path, and gives it the headers of its reply. */
  refuse(error: unknown, metadata: Pick<Metadata, "headers" | "peer">): Failure;
  /** Ends every request under way. Each has a failure of its own, which will bear its receipt. */
  abortAll(why: () => Failure): void;
}

export function createDoor(options: DoorOptions): Door {
  const underWay = new Set<OpenRequest>();
  return {
    open(method, metadata) {
      const request = new OpenRequest(options, method, metadata, () => underWay.delete(request));
      underWay.add(request);
      try {
        request.authenticate();
      } catch (error) {
        const failure = request.fail(error);
        failure.replyHeaders = request.context.replyHeaders;
        request.close();
        throw failure;
      }
      return request;
    },
    refuse(error, { headers, peer }) {
      const failure = toFailure(error);
      if (failure.replyHeaders) return failure;
      const { requestId, span, replyHeaders } = identify(headers, "refused", {});
      failure.replyHeaders = replyHeaders;
      tell(options.signals, failure, { request_id: requestId, ...traceFields(span), method: "none", peer });
      failSpan(span, failure.kind, failure.message);
      span.end();
      return failure;
    },
    abortAll(why) {
      for (const request of underWay) request.abort(why());
    },
  };
}

class OpenRequest implements Request {
  private readonly options: DoorOptions;
  private readonly method: DescMethod;
  private readonly metadata: Metadata;
  private readonly onClose: () => void;
  private readonly controller = new AbortController();
  private readonly deadline: { cancel(): void } | undefined;
  context: RequestContext;

  constructor(options: DoorOptions, method: DescMethod, metadata: Metadata, onClose: () => void) {
    this.options = options;
    this.method = method;
    this.metadata = metadata;
    this.onClose = onClose;
    const { timeoutMs, keepsTime } = metadata;
    if (timeoutMs !== undefined && !keepsTime) {
      const late = () =>
        this.abort(new Failure("deadline_exceeded", `not finished within the ${timeoutMs} ms allowed`));
      this.deadline = options.clock.after(timeoutMs, late);
    }
    this.context = this.contextOf();
  }

  authenticate(): void {
    const { scopes, ...identity } = this.options.authenticate(this.metadata.headers);
    this.context = { ...this.context, ...identity };
    const scope = this.method.parent.typeName === AdminService.typeName ? "admin" : "call";
    if (scopes.includes(scope)) return;
    const text = `${this.method.parent.name} takes an API key with the scope ${scope}`;
    throw new Failure("permission_denied", text);
  }

  async invoke(message: Message, method = this.method): Promise<Answer> {
    this.validate(message);
    const handler = this.options.handlers.get(method);
    if (!handler) throw new Failure("not_found", `${method.name} is not implemented`);
    return handler(message, { ...this.context, method: method.name });
  }

  abort(failure: Failure): void {
    this.controller.abort(failure);
  }

  fail(error: unknown): Failure {
    const failure = toFailure(error);
    const { requestId, principal, peer, protocol, span } = this.context;
    tell(this.options.signals, failure, {
      request_id: requestId,
      ...traceFields(span),
      method: this.method.name,
      principal,
      peer,
      protocol,
    });
    failSpan(span, failure.kind, failure.message);
    return failure;
  }

  close(): void {
    this.deadline?.cancel();
    this.context.span.end();
    this.onClose();
  }

  private validate(message: Message): void {
    const broken = brokenRules(this.method.input, message);
    if (broken.length === 0) return;
    throw invalidRequest(
      broken.map(({ field, message }) => ({ field: pathToString(field), description: message })),
    );
  }

  private contextOf(): RequestContext {
    const { headers, protocol, peer, timeoutMs } = this.metadata;
    const startedAtMs = this.options.clock.now();
    const rpc = `${this.method.parent.typeName}/${this.method.name}`;
    return {
      ...identify(headers, rpc, { "rpc.system.name": protocol, "rpc.method": rpc }),
      startedAtMs,
      principal: "",
      tenant: INTERNAL,
      cacheScope: "",
      peer,
      protocol,
      method: this.method.name,
      idempotencyKey: headers.get("idempotency-key") ?? "",
      signal: this.controller.signal,
      deadlineAtMs: timeoutMs === undefined ? undefined : startedAtMs + timeoutMs,
    };
  }
}

/** By what a request is known: in its reply, in the log, in the ledger, among traces. */
function identify(headers: Headers, name: string, attributes: Attributes) {
  // Begins with the time: databases keep it beside those of its time, and write fewer pages.
  const callId = randomUUIDv7();
  const requestId = wishedId(headers.get("x-request-id")) ?? callId;
  const span = startRequestSpan(name, callId, headers, {
    ...attributes,
    "llmgateway.request_id": requestId,
  });
  const replyHeaders = new Map([
    ["x-request-id", requestId],
    ["traceparent", traceparentOf(span)],
  ]);
  return { callId, requestId, span, replyHeaders };
}

/** A failure that the stack has not told: a refusal at the door, or of what is no RPC. */
function tell(
  { logger, metrics }: Signals,
  failure: Failure,
  where: { method: string; [field: string]: string },
): void {
  if (failure.recorded) return;
  failure.recorded = true;
  metrics.failures.inc({ kind: failure.kind, route: where.method.toLowerCase() });
  const event = {
    ...where,
    outcome: failure.outcome,
    failure_kind: failure.kind,
    failure: failure.message,
    operator: failure.operator,
  };
  writeEvent(logger, levelOf(failure), event, "refused");
}

/** The caller's own id, where it is one that logs and headers can bear. */
function wishedId(wish: string | null): string | undefined {
  return wish && /^[A-Za-z0-9._:-]{1,128}$/.test(wish) ? wish : undefined;
}
