/** RPCs that nobody serves: what REST says of them would be taken for a "not found" of the RPC's own. */
import { Code, ConnectError } from "@connectrpc/connect";
import { Failure } from "../core/failure.ts";
import type { Door } from "./door.ts";
import { type NodeHandler, type NodeReply, type NodeRequest, pathOf } from "./node.ts";
import { refuseRpc } from "./refusal.ts";

/** @param otherwise answers what is no RPC by its headers */
export function unimplemented(door: Door, otherwise: NodeHandler): NodeHandler {
  return (incoming, response) => {
    const request = incoming as NodeRequest;
    const isAnswered = refuseRpc(door, request, response as NodeReply, {
      failure: new Failure("not_found", `there is no RPC at ${pathOf(request)}`),
      error: ({ message }) => new ConnectError(message, Code.Unimplemented),
      // That of a path that is not there, as Connect wants it.
      http: 404,
    });
    if (!isAnswered) otherwise(incoming, response);
  };
}
