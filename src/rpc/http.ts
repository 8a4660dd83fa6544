/** Leads each HTTP request to its front: operations, the console, REST, or the RPC protocols. */
import { Failure } from "../core/failure.ts";
import type { Assets } from "./assets.ts";
import type { Cors } from "./cors.ts";
import type { Hosts } from "./hosts.ts";
import type { JsonFront } from "./json/front.ts";
import { type NodeHandler, type NodeReply, type NodeRequest, pathOf, untangle } from "./node.ts";
import type { Operations } from "./operations.ts";
import { discardUnreadBody } from "./unread.ts";

/** gRPC clients cannot prefix their paths, proxies often must: the RPCs are at both. */
const PREFIX = "/v1/gateway";

export interface Fronts {
  readonly operations: Operations;
  /** Absent when the console is switched off. */
  readonly assets: Assets | undefined;
  readonly json: JsonFront;
  readonly connect: NodeHandler;
  readonly cors: Cors;
  readonly hosts: Hosts;
}

export function createHttpHandler({ operations, assets, json, connect, cors, hosts }: Fronts): NodeHandler {
  const lead = (request: NodeRequest, reply: NodeReply) => {
    const path = pathOf(request);
    if (operations.handle(request, path, reply) || assets?.handle(request, path, reply)) return;
    if (json.serves(path)) {
      // What escapes would end the process, and with it every other call.
      json.handle(request, reply).catch((error: unknown) => json.refuse(request, reply, error));
      return;
    }
    if (path.startsWith(`${PREFIX}/llmgateway.`)) request.url = request.url?.slice(PREFIX.length);
    connect(request, reply);
  };
  return (incoming, response) => {
    const request = incoming as NodeRequest;
    const reply = response as NodeReply;
    discardUnreadBody(request, reply);
    untangle(request);
    if (hosts(request, reply)) return;
    cors(request, reply, () => lead(request, reply));
  };
}

/** What connect-node does with a path that it does not know. */
export function notFound(json: JsonFront): NodeHandler {
  return (request, reply) => {
    json.refuse(
      request as NodeRequest,
      reply as NodeReply,
      new Failure("not_found", `there is nothing at ${request.url}`),
    );
  };
}
