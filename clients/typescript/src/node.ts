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

const TRANSPORTS: Transports = {
  connect: (options) => createConnectTransport({ ...options, httpVersion: "1.1" }),
  "grpc-web": (options) => createGrpcWebTransport({ ...options, httpVersion: "1.1" }),
  grpc: createGrpcTransport,
};
