/** The gateway's own listener and fronts in their standard settings, with nothing behind the door. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";
import { loadConfig } from "../../src/config/load.ts";
import { systemClock } from "../../src/core/clock.ts";
import { Readiness } from "../../src/core/readiness.ts";
import { createFronts } from "../../src/fronts.ts";
import { createAuthenticate } from "../../src/rpc/auth.ts";
import { createDoor } from "../../src/rpc/door.ts";
import { type Listener, type ListenerOptions, listen } from "../../src/rpc/listener.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";

export const SETTINGS = loadConfig({ env: {} }).server;

export interface FrontOptions {
  /** What is served beside the door. */
  readonly ungated: (router: ConnectRouter) => void;
  readonly tls?: ListenerOptions["tls"];
  readonly maxBodyBytes?: number;
}

export function listenUngated({ ungated, tls, maxBodyBytes }: FrontOptions): Promise<Listener> {
  const { logger } = createLog("silent");
  const metrics = createMetrics();
  const clock = systemClock;
  const door = createDoor({
    handlers: new Map(),
    authenticate: createAuthenticate([]),
    signals: { logger, metrics },
    clock,
  });
  const { registry } = metrics;
  const server = { ...SETTINGS, maxBodyBytes: maxBodyBytes ?? SETTINGS.maxBodyBytes };
  const handler = createFronts(server, {
    clock,
    door,
    isOpen: () => true,
    readiness: new Readiness(),
    registry,
    ungated,
  });
  const http2 = {
    maxConcurrentStreams: server.http2.maxConcurrentStreams,
    pingIntervalMs: durationMs(server.http2.pingInterval),
    pingTimeoutMs: durationMs(server.http2.pingTimeout),
  };
  return listen({ host: "127.0.0.1", port: 0, tls, http2, handler, clock });
}
