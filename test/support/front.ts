/** The gateway's own listener and fronts, with nothing behind the door: what is served is mounted beside it. */
import { createValidator } from "@bufbuild/protovalidate";
import type { ConnectRouter } from "@connectrpc/connect";
import { systemClock } from "../../src/core/clock.ts";
import { createAuthenticate } from "../../src/rpc/auth.ts";
import { createConnectFront } from "../../src/rpc/connect.ts";
import { createDoor } from "../../src/rpc/door.ts";
import { createHttpHandler, notFound } from "../../src/rpc/http.ts";
import { createJsonFront } from "../../src/rpc/json/front.ts";
import { type Listener, type ListenerOptions, listen } from "../../src/rpc/listener.ts";
import { createOperations } from "../../src/rpc/operations.ts";
import { unimplemented } from "../../src/rpc/unimplemented.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";

export interface FrontOptions {
  readonly ungated: (router: ConnectRouter) => void;
  readonly tls?: ListenerOptions["tls"];
  readonly maxBodyBytes?: number;
}

export const MAX_JSON_DEPTH = 64;

export async function listenUngated({ ungated, tls, maxBodyBytes }: FrontOptions): Promise<Listener> {
  const metrics = createMetrics();
  const door = createDoor({
    handlers: new Map(),
    authenticate: createAuthenticate([]),
    validator: createValidator(),
    signals: { logger: createLog("silent").logger, metrics },
    clock: systemClock,
  });
  const limits = { maxBytes: maxBodyBytes ?? 32 * 1024 * 1024, maxDepth: MAX_JSON_DEPTH };
  const json = createJsonFront({ services: [], door, limits, pingIntervalMs: 15_000, clock: systemClock });
  const connect = createConnectFront({
    services: [],
    door,
    ungated,
    maxBodyBytes: limits.maxBytes,
    maxJsonDepth: limits.maxDepth,
    fallback: unimplemented(door, notFound(json)),
  });
  const operations = createOperations({ registry: metrics.registry, notReady: () => "" });
  const handler = createHttpHandler({ operations, json, connect });
  return listen({ host: "127.0.0.1", port: 0, tls, handler });
}
