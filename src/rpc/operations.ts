/**
 * What machines ask for: is the gateway alive, is it ready, its metrics, the description of its API. Open to all,
 * and no RPC.
 */
import type { Registry } from "prom-client";
import type { Send } from "./compression.ts";
import type { NodeReply, NodeRequest } from "./node.ts";
import { openapiPage } from "./openapi.ts";

export interface Operations {
  /** False for a path that is none of these. */
  handle(request: NodeRequest, path: string, reply: NodeReply): boolean;
}

export interface OperationsOptions {
  readonly registry: Registry;
  /** Why no new call should come here; empty when they should. */
  readonly notReady: () => string;
  readonly send: Send;
  readonly refuse: (request: NodeRequest, reply: NodeReply, error: unknown) => void;
}

interface Page {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent where the status has none. */
  readonly body?: string;
}

type Render = (request: NodeRequest) => Page | Promise<Page>;

export function createOperations({ registry, notReady, send, refuse }: OperationsOptions): Operations {
  const pages: Record<string, Render> = {
    "/v1/gateway/health": () => json(200, { status: "alive" }),
    "/v1/gateway/health/ready": () => {
      const reason = notReady();
      return reason ? json(503, { status: "not ready", reason }) : json(200, { status: "ready" });
    },
    "/v1/gateway/metrics": async () => ({
      status: 200,
      headers: { "content-type": registry.contentType },
      body: await registry.metrics(),
    }),
    "/openapi.json": openapiPage(),
  };
  return {
    handle(request, path, reply) {
      const page = pages[path];
      if (!page || (request.method !== "GET" && request.method !== "HEAD")) return false;
      // What escapes would end the process, and with it every call.
      answer(request, reply, page, send).catch((error: unknown) => refuse(request, reply, error));
      return true;
    },
  };
}

async function answer(request: NodeRequest, reply: NodeReply, render: Render, send: Send): Promise<void> {
  const { status, headers, body } = await render(request);
  if (body === undefined) reply.writeHead(status, headers).end();
  else await send(request, reply, status, headers, body);
}

function json(status: number, body: object): Page {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
