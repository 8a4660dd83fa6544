/** The client for Node: all three protocols, by Node's own HTTP. */
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { type Gateway, type GatewayOptions, gatewayOver, type Transports } from "./gateway.ts";

export * from "./gateway.ts";

/** Makes a client. Nothing is sent until it is called. Throws a TypeError for an option that cannot be. */
export function createGateway(options: GatewayOptions): Gateway {
  return gatewayOver(TRANSPORTS, options);
}

/** An answer may be silent for long, and a connection idle: these find out whether it still lives. */
const ALIVE = { pingIntervalMs: 30_000, pingTimeoutMs: 15_000 };

const TRANSPORTS: Transports = {
  connect: (options) => createConnectTransport({ ...options, httpVersion: "1.1" }),
  "grpc-web": (options) => createGrpcWebTransport({ ...options, httpVersion: "1.1" }),
  grpc: (options) => createGrpcTransport({ ...options, ...ALIVE }),
};
