/**
 * Failures of requests that never came to an RPC, answered as their own protocol says it: its clients would take a page
 * of REST's for a broken server.
 */
import type { ConnectError } from "@connectrpc/connect";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import type { Failure } from "../core/failure.ts";
import type { Door } from "./door.ts";
import { headersOf, type NodeReply, type NodeRequest } from "./node.ts";

/** gRPC-Web counts as gRPC: both may say it in their headers. Undefined for what is no RPC by its headers. */
function protocolOf({ headers }: NodeRequest): "grpc" | "connect" | undefined {
  const type = headers["content-type"] ?? "";
  if (type.startsWith("application/grpc")) return "grpc";
  const isConnect = headers["connect-protocol-version"] || /^application\/(proto$|connect\+)/.test(type);
  return isConnect ? "connect" : undefined;
}

export interface Refusal {
  readonly failure: Failure;
  /** What the protocol is told of it. */
  error(failure: Failure): ConnectError;
  /** The status on Connect. */
  readonly http: number;
}

/** @returns false where the request is no RPC by its headers: then nothing is answered, or told */
export function refuseRpc(
  door: Door,
  request: NodeRequest,
  reply: NodeReply,
  { failure, error, http }: Refusal,
): boolean {
  const protocol = protocolOf(request);
  if (!protocol) return false;
  const peer = request.socket.remoteAddress ?? "";
  const told = door.refuse(failure, { headers: headersOf(request), peer });
  for (const [name, value] of told.replyHeaders ?? []) reply.setHeader(name, value);
  if (protocol === "grpc") refuseGrpc(request, reply, error(told));
  else refuseConnect(reply, error(told), http);
  return true;
}

function refuseGrpc(request: NodeRequest, reply: NodeReply, error: ConnectError): void {
  const headers = new Headers({ "content-type": request.headers["content-type"] ?? "" });
  setTrailerStatus(headers, error);
  // Headers that end the stream themselves: with `writeHead` they would go out alone, and wait for trailers.
  for (const [name, value] of headers) reply.setHeader(name, value);
  reply.end();
}

function refuseConnect(reply: NodeReply, error: ConnectError, http: number): void {
  reply.writeHead(http, { "content-type": "application/json" });
  reply.end(JSON.stringify(errorToJson(error, undefined)));
}
