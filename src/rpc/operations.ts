/** What machines that run the gateway ask for: is it alive, is it ready, its metrics. Open to all, and no RPC. */
import type { Registry } from "prom-client";
import type { NodeReply } from "./node.ts";

export interface Operations {
  /** False for a path that is none of these. */
  handle(verb: string, path: string, reply: NodeReply): boolean;
}

export interface OperationsOptions {
  readonly registry: Registry;
  /** Why no new call should come here; empty when they should. */
  readonly notReady: () => string;
}

export function createOperations({ registry, notReady }: OperationsOptions): Operations {
  const pages: Record<string, (reply: NodeReply) => void> = {
    "/v1/gateway/health": (reply) => send(reply, 200, { status: "alive" }),
    "/v1/gateway/health/ready": (reply) => {
      const reason = notReady();
      send(reply, reason ? 503 : 200, reason ? { status: "not ready", reason } : { status: "ready" });
    },
    "/v1/gateway/metrics": async (reply) => {
      reply.writeHead(200, { "content-type": registry.contentType });
      reply.end(await registry.metrics());
    },
  };
  return {
    handle(verb, path, reply) {
      const page = pages[path];
      if (!page || (verb !== "GET" && verb !== "HEAD")) return false;
      page(reply);
      return true;
    },
  };
}

function send(reply: NodeReply, status: number, body: object): void {
  reply.writeHead(status, { "content-type": "application/json" });
  reply.end(JSON.stringify(body));
}
