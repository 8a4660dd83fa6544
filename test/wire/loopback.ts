/** A server on loopback, and a transport to it, for one test after the other. */
import { getEventListeners, once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect } from "vitest";
import { createTransport, type Transport, type WireReply } from "../../src/wire/transport.ts";

export interface Loopback {
  /** Starts a server that does this, and a transport to it. */
  serve(
    handler: RequestListener,
    limits?: { maxConnections?: number; bufferedReads?: number },
  ): Promise<void>;
  /** @param signal of a caller who stays, by default */
  post(signal?: AbortSignal, body?: string): Promise<WireReply>;
  /** That the server has accepted. */
  readonly connections: number;
  /** Nobody listens any more. */
  stop(): Promise<void>;
  /** Closes the transport. */
  close(): Promise<void>;
}

/** Call it once, outside of the tests: it cleans up behind each of them. */
export function loopback(): Loopback {
  const caller = new AbortController();
  let connections = 0;
  let server: Server | undefined;
  let transport: Transport | undefined;
  let closed: Promise<void> | undefined;
  const close = async () => {
    closed ??= transport?.close();
    await closed;
  };
  afterEach(async () => {
    // An exchange that is over holds on to nothing of its caller.
    expect(getEventListeners(caller.signal, "abort")).toEqual([]);
    server?.closeAllConnections();
    server?.close();
    await close();
  });
  return {
    async serve(handler, { maxConnections = 8, bufferedReads = 4 } = {}) {
      connections = 0;
      closed = undefined;
      server = createServer(handler).on("connection", () => connections++);
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      transport = createTransport({ origin, maxConnections, connectTimeoutMs: 1_000, bufferedReads });
    },
    post(signal = caller.signal, body = "{}") {
      if (!transport) throw new Error("there is no transport");
      return transport.post("/v1/chat", { "content-type": "application/json" }, body, signal);
    },
    get connections() {
      return connections;
    },
    async stop() {
      await new Promise((resolve) => server?.close(resolve));
    },
    close,
  };
}
