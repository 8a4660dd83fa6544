/**
 * RPCs that nobody serves, answered as their own protocol says it: its clients would take REST's 404 for a broken
 * server, or for a "not found" of the RPC's own.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { Failure } from "../core/failure.ts";
import type { Door } from "./door.ts";
import { headersOf, type NodeHandler, type NodeReply, type NodeRequest, pathOf } from "./node.ts";

/** @param otherwise answers what is no RPC by its headers */
export function unimplemented(door: Door, otherwise: NodeHandler): NodeHandler {
  return (incoming, response) => {
    const request = incoming as NodeRequest;
    const protocol = protocolOf(request);
    if (!protocol) return otherwise(incoming, response);
    const unknown = new Failure("not_found", `there is no RPC at ${pathOf(request)}`);
    const peer = request.socket.remoteAddress ?? "";
    const { message, replyHeaders } = door.refuse(unknown, { headers: headersOf(request), peer });
    const error = new ConnectError(message, Code.Unimplemented);
    for (const [name, value] of replyHeaders ?? []) response.setHeader(name, value);
    if (protocol === "grpc") refuseGrpc(request, response as NodeReply, error);
    else refuseConnect(response as NodeReply, error);
  };
}

/** gRPC-Web counts as gRPC: both may say it in their headers. */
function protocolOf({ headers }: NodeRequest): "grpc" | "connect" | undefined {
  const type = headers["content-type"] ?? "";
  if (type.startsWith("application/grpc")) return "grpc";
  const isConnect = headers["connect-protocol-version"] || /^application\/(proto$|connect\+)/.test(type);
  return isConnect ? "connect" : undefined;
}

function refuseGrpc(request: NodeRequest, reply: NodeReply, error: ConnectError): void {
  const headers = new Headers({ "content-type": request.headers["content-type"] ?? "" });
  setTrailerStatus(headers, error);
  // Headers that end the stream themselves: with `writeHead` they would go out alone, and wait for trailers.
  for (const [name, value] of headers) reply.setHeader(name, value);
  reply.end();
}

/** With the status of a path that is not there, as Connect wants it. */
function refuseConnect(reply: NodeReply, error: ConnectError): void {
  reply.writeHead(404, { "content-type": "application/json" });
  reply.end(JSON.stringify(errorToJson(error, undefined)));
}
