/** A receiver of webhooks on loopback, and rules that let webhooks reach it. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { WebhookRules } from "../../src/jobs/webhook/allow.ts";

export const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

/** For a whole gateway: lets webhooks reach receivers here by their address. */
export const CALLS_HERE = {
  given: {
    jobs: {
      webhooks: { allowed_hosts: ["127.0.0.1:*"], allowed_networks: ["127.0.0.0/8"], allow_http: true },
    },
  },
  surroundings: { env: { LLMGATEWAY_WEBHOOK_SECRET: SECRET } },
};

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Receiver extends AsyncDisposable {
  readonly port: number;
  /** Called `hooks.example.com`, which a test's resolver has to know. */
  readonly url: string;
  readonly received: readonly Received[];
  /** That were accepted. */
  readonly connections: number;
}

/** @param answer to each request, whose body has been read; a plain 200 by default */
export async function startReceiver(
  answer: RequestListener = (_, response) => void response.end(),
  tls?: { readonly cert: string; readonly key: string },
): Promise<Receiver> {
  const received: Received[] = [];
  let connections = 0;
  const listener: RequestListener = async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    received.push({ path: request.url ?? "", headers: request.headers, body });
    answer(request, response);
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  server.on("connection", () => connections++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `${tls ? "https" : "http"}://hooks.example.com:${port}/jobs?of=me`,
    received,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Allow `hooks.example.com` at the port, on loopback. */
export function rulesFor(port: number, changes: Partial<WebhookRules> = {}): WebhookRules {
  return {
    allowedHosts: [`hooks.example.com:${port}`],
    allowedNetworks: ["127.0.0.0/8"],
    allowHttp: true,
    secretEnv: "LLMGATEWAY_WEBHOOK_SECRET",
    secrets: [SECRET],
    maxConcurrentPerHost: 10,
    timeoutMs: 15_000,
    giveUpAfterMs: 86_400_000,
    ...changes,
  };
}

/** A resolver for which every name is here. */
export const onLoopback = async () => ["127.0.0.1"];
