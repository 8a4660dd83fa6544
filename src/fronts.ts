/** What is served at the port: every front of the gateway over one door, as the configuration wants it. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";
import type { Registry } from "prom-client";
import { AdminService } from "../gen/ts/llmgateway/v1/admin_pb.ts";
import { GatewayService } from "../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Clock } from "./core/clock.ts";
import type { Readiness } from "./core/readiness.ts";
import { createAssets } from "./rpc/assets.ts";
import { createSend } from "./rpc/compression.ts";
import { createConnectFront } from "./rpc/connect.ts";
import { createCors } from "./rpc/cors.ts";
import type { Door } from "./rpc/door.ts";
import { createHosts } from "./rpc/hosts.ts";
import { createHttpHandler, notFound } from "./rpc/http.ts";
import { Bodies } from "./rpc/json/bodies.ts";
import { createJsonFront } from "./rpc/json/front.ts";
import type { NodeHandler } from "./rpc/node.ts";
import { createOperations } from "./rpc/operations.ts";
import { unimplemented } from "./rpc/unimplemented.ts";
import { bundled } from "./version.ts";

export const SERVICES = [GatewayService, AdminService];

export interface Behind {
  readonly clock: Clock;
  readonly door: Door;
  /** Whether whoever reaches the gateway may do everything. */
  readonly isOpen: () => boolean;
  readonly readiness: Readiness;
  readonly registry: Registry;
  /** Mounts the RPCs that do not go through the door. */
  readonly ungated: (router: ConnectRouter) => void;
}

export function createFronts(
  server: CompleteConfig["server"],
  { clock, door, isOpen, readiness, registry, ungated }: Behind,
): NodeHandler {
  const send = createSend(server.compressMinBytes);
  const json = createJsonFront({
    bodies: new Bodies(),
    services: SERVICES,
    door,
    limits: { maxBytes: server.maxBodyBytes, maxDepth: server.maxJsonDepth },
    pingIntervalMs: durationMs(server.pingInterval),
    clock,
    send,
  });
  const connect = createConnectFront({
    services: SERVICES,
    door,
    ungated,
    maxBodyBytes: server.maxBodyBytes,
    maxJsonDepth: server.maxJsonDepth,
    compressMinBytes: server.compressMinBytes,
    fallback: unimplemented(door, notFound(json)),
  });
  return createHttpHandler({
    operations: createOperations({
      registry,
      notReady: () => readiness.notReady,
      send,
      refuse: json.refuse,
    }),
    assets: server.console
      ? createAssets({ folder: bundled("dist", "console"), send, refuse: json.refuse })
      : undefined,
    json,
    connect,
    cors: createCors({
      allowedOrigins: server.cors.allowedOrigins,
      maxAgeMs: durationMs(server.cors.maxAge),
    }),
    hosts: createHosts({ host: server.host, isOpen, door, refuse: json.refuse }),
  });
}
