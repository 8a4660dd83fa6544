/** The client for browsers and edge runtimes: Connect and gRPC-Web, by `fetch`. Nothing of Node is in it. */
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { type Gateway, type GatewayOptions, gatewayOver, type Transports } from "./gateway.ts";

export * from "./gateway.ts";

/** Makes a client. Nothing is sent until it is called. Throws a TypeError for an option that cannot be. */
export function createGateway(options: GatewayOptions): Gateway {
  return gatewayOver(TRANSPORTS, options);
}

const TRANSPORTS: Transports = {
  connect: createConnectTransport,
  "grpc-web": createGrpcWebTransport,
  grpc() {
    throw new TypeError(
      'transport: "grpc" needs Node, since fetch cannot speak gRPC; use "connect" or "grpc-web" in browsers and edge runtimes',
    );
  },
};
