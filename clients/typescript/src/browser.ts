/** The client for browsers and edge runtimes: Connect and gRPC-Web, by `fetch`. Nothing of Node is in it. */
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { type Gateway, type GatewayOptions, gatewayOver, type Transports } from "./gateway.ts";

export * from "./gateway.ts";

/** Makes a client. Nothing is sent until it is called. Throws a TypeError for an option that cannot be. */
export function createGateway(options: GatewayOptions): Gateway {
  return gatewayOver(TRANSPORTS, options);
}

const TRANSPORTS: Transports = {
  connect: (options) => createConnectTransport({ ...options, fetch: fetchHere }),
  "grpc-web": (options) => createGrpcWebTransport({ ...options, fetch: fetchHere }),
  grpc() {
    throw new TypeError(
      'transport: "grpc" needs Node, since fetch cannot speak gRPC; use "connect" or "grpc-web" in browsers and edge runtimes',
    );
  },
};

/** A redirect is an answer and no error, and is not followed: edge runtimes refuse `redirect: "error"`. */
const fetchHere: typeof fetch = (input, init) => fetch(input, { ...init, redirect: "manual" });
