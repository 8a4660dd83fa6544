/** What machines that run the gateway ask for: is it alive, is it ready, its metrics. Open to all, and no RPC. */
import type { Registry } from "prom-client";
import type { Send } from "./compression.ts";
import type { NodeReply, NodeRequest } from "./node.ts";

export interface Operations {
  /** False for a path that is none of these. */
  handle(request: NodeRequest, path: string, reply: NodeReply): boolean;
}

export interface OperationsOptions {
  readonly registry: Registry;
  /** Why no new call should come here; empty when they should. */
  readonly notReady: () => string;
  readonly send: Send;
}

interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export function createOperations({ registry, notReady, send }: OperationsOptions): Operations {
  const pages: Record<string, () => Page | Promise<Page>> = {
    "/v1/gateway/health": () => json(200, { status: "alive" }),
    "/v1/gateway/health/ready": () => {
      const reason = notReady();
      return reason ? json(503, { status: "not ready", reason }) : json(200, { status: "ready" });
    },
    "/v1/gateway/metrics": async () => ({
      status: 200,
      type: registry.contentType,
      body: await registry.metrics(),
    }),
  };
  return {
    handle(request, path, reply) {
      const page = pages[path];
      if (!page || (request.method !== "GET" && request.method !== "HEAD")) return false;
      void answer(request, reply, page, send);
      return true;
    },
  };
}

async function answer(
  request: NodeRequest,
  reply: NodeReply,
  page: () => Page | Promise<Page>,
  send: Send,
): Promise<void> {
  const { status, type, body } = await page();
  await send(request, reply, status, { "content-type": type }, body);
}

function json(status: number, body: object): Page {
  return { status, type: "application/json", body: JSON.stringify(body) };
}
