/** Every way in which the client can be had: by Node's HTTP, and as browsers have it, by `fetch`. */
import * as browser from "../../../clients/typescript/src/browser.ts";
import type { Gateway, GatewayOptions } from "../../../clients/typescript/src/gateway.ts";
import * as node from "../../../clients/typescript/src/node.ts";

export interface Way {
  readonly name: string;
  connect(options: GatewayOptions): Gateway;
}

export const WAYS: readonly Way[] = [
  { name: "Connect", connect: (options) => node.createGateway({ transport: "connect", ...options }) },
  { name: "gRPC", connect: (options) => node.createGateway({ transport: "grpc", ...options }) },
  { name: "gRPC-Web", connect: (options) => node.createGateway({ transport: "grpc-web", ...options }) },
  {
    name: "Connect by fetch",
    connect: (options) => browser.createGateway({ transport: "connect", ...options }),
  },
  {
    name: "gRPC-Web by fetch",
    connect: (options) => browser.createGateway({ transport: "grpc-web", ...options }),
  },
];

export function ask(content: string) {
  return { model: "openai/gpt-4o", messages: [{ role: "user", content }] };
}

/** What a call that must fail has failed with. */
export async function failureOf(call: Promise<unknown>): Promise<node.GatewayError> {
  const failure = await call.then(
    () => new Error("it did not fail"),
    (error: unknown) => error,
  );
  if (failure instanceof node.GatewayError) return failure;
  throw failure;
}
