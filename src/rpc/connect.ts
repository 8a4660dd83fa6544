/** The front for Connect, gRPC and gRPC-Web: connect-node, in front of the door. */
import type {
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  Message,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { Protocol } from "../core/call.ts";
import { LONGEST_DELAY_MS } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import { JSON_OPTIONS } from "../core/json.ts";
import { RPC_COMPRESSIONS } from "./compression.ts";
import type { Answer, Door, Request } from "./door.ts";
import { toConnectError, toErrorEvent } from "./errors.ts";
import type { NodeHandler } from "./node.ts";
import { unreadable } from "./unreadable.ts";

const REQUEST = createContextKey<Request | undefined>(undefined);
/** Resolves once the call is handled, whoever has left by then. */
const HANDLED = createContextKey(Promise.resolve());
const PEER = createContextKey("");

export interface ConnectOptions {
  readonly services: readonly DescService[];
  readonly door: Door;
  /** Mounts what is not the gateway's to account for: no key is asked for, and nothing is told of its calls. */
  readonly ungated: (router: ConnectRouter) => void;
  readonly maxBodyBytes: number;
  readonly maxJsonDepth: number;
  /** Compresses no smaller message; 0 compresses none. */
  readonly compressMinBytes: number;
  /** Answers for paths that are no RPC. */
  readonly fallback: NodeHandler;
}

export function createConnectFront(options: ConnectOptions): NodeHandler {
  const adapter = connectNodeAdapter({
    routes: (router) => {
      for (const service of options.services) serve(router, service, options.door);
      options.ungated(router);
    },
    readMaxBytes: options.maxBodyBytes,
    acceptCompression: RPC_COMPRESSIONS,
    compressMinBytes: options.compressMinBytes || Number.MAX_SAFE_INTEGER,
    jsonOptions: jsonOptions(options.maxJsonDepth),
    contextValues: (req) => createContextValues().set(PEER, req.socket.remoteAddress ?? ""),
    fallback: options.fallback,
  });
  return (request, reply) => {
    // It makes a URL of who was asked, and throws where that is missing, empty or no host; nobody looks at it.
    Object.defineProperty(request, "authority", { value: "localhost" });
    // A body that connect-node gives up would take the request with it, and block the connection.
    request[Symbol.asyncIterator] = () => request.iterator({ destroyOnReturn: false });
    // It waits for a full reply to drain, which one over HTTP/2 that is gone does not; it learns of that when it goes on.
    reply.once("close", () => reply.emit("drain"));
    for (const name of ["connect-timeout-ms", "grpc-timeout"])
      if (isNeverDue(request.headers[name])) delete request.headers[name];
    adapter(request, reply);
  };
}

export function jsonOptions(maxDepth: number) {
  return {
    ...JSON_OPTIONS,
    ignoreUnknownFields: true,
    // One level more than the JSON has, because the reader counts a Struct and its values apart.
    recursionLimit: maxDepth + 1,
    textDecoder: new TextDecoder("utf-8", { fatal: true }),
  };
}

const UNITS_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1 };

/** A deadline so far away that connect-node's timer would take it for now, and that no call would come to. */
function isNeverDue(deadline: string | string[] | undefined): boolean {
  const [, count, unit = "m"] = /^(\d{1,10})([HMSm])?$/.exec(String(deadline)) ?? [];
  return Number(count) * (UNITS_MS[unit] ?? 0) > LONGEST_DELAY_MS;
}

function serve(router: ConnectRouter, service: DescService, door: Door): void {
  // Opens the request, so that a wrong key is refused before the body is read.
  const gated = { requestGate: (context: HandlerContext) => open(door, context) };
  for (const method of service.methods) {
    if (method.methodKind === "unary") router.rpc(method as DescMethodUnary, unary, gated);
    else router.rpc(method as DescMethodServerStreaming, serverStreaming, gated);
  }
}

function open(door: Door, context: HandlerContext): void {
  try {
    const request = door.open(context.method as DescMethod, {
      protocol: context.protocolName as Protocol,
      headers: context.requestHeader,
      peer: context.values.get(PEER),
      timeoutMs: context.timeoutMs(),
      // connect-node aborts the signal with the deadline.
      keepsTime: true,
    });
    context.values.set(REQUEST, request);
    setHeaders(request, context);
    // Aborts whatever became of the RPC, a body that connect-node could not parse included.
    const over = () => {
      const { reason } = context.signal;
      const failure = reason instanceof ConnectError ? unreadable(reason) : undefined;
      // The caller is answered with this very error, which is written after the signal is aborted.
      if (failure) Object.assign(reason, toConnectError(request.fail(failure)));
      request.abort(failure ?? departure(reason));
      // What it came to is told until then.
      void context.values.get(HANDLED).then(() => request.close());
    };
    context.signal.addEventListener("abort", over, { once: true });
    // By a deadline of 0, which is over before it began.
    if (context.signal.aborted) over();
  } catch (error) {
    throw toConnectError(error as Failure);
  }
}

async function unary(message: Message, context: HandlerContext): Promise<Message> {
  const { request, leave } = opened(context);
  try {
    const { message: reply } = await request.invoke(message);
    if (!reply) throw new Error(`${context.method.name} answered with a stream`);
    return reply;
  } catch (error) {
    throw toConnectError(request.fail(error));
  } finally {
    setHeaders(request, context);
    leave();
  }
}

async function* serverStreaming(message: Message, context: HandlerContext): AsyncGenerator<Message> {
  const { request, leave } = opened(context);
  let begun = false;
  let isTaken = true;
  try {
    const answer: Answer = await request.invoke(message);
    setHeaders(request, context);
    for await (const batch of answer.batches ?? []) {
      begun = true;
      for (const event of batch) {
        isTaken = false;
        yield event;
        isTaken = true;
      }
    }
  } catch (error) {
    // Thrown in by connect-node: nobody reads any more, and what is given up has told its end.
    if (!isTaken) throw error;
    const failure = request.fail(error);
    setHeaders(request, context);
    if (begun) yield toErrorEvent(failure, context.method.output);
    throw toConnectError(failure);
  } finally {
    leave();
  }
}

function opened(context: HandlerContext): { request: Request; leave: () => void } {
  const request = context.values.get(REQUEST);
  if (!request) throw new ConnectError("the request was not opened", Code.Internal);
  const { promise, resolve } = Promise.withResolvers<void>();
  context.values.set(HANDLED, promise);
  return { request, leave: resolve };
}

function setHeaders(request: Request, context: HandlerContext): void {
  for (const [name, value] of request.context.replyHeaders) context.responseHeader.set(name, value);
}

/** Why connect-node ended the call: its deadline, or a caller who left. */
function departure(reason: unknown): Failure {
  const late = reason instanceof ConnectError && reason.code === Code.DeadlineExceeded;
  return late
    ? new Failure("deadline_exceeded", "not finished within the caller's deadline")
    : new Failure("cancelled", "the caller left");
}
