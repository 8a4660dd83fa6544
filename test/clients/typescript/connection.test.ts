/** A connection whose other end is gone without a word, as behind a load balancer that forgets what was idle. */
import { once } from "node:events";
import { createServer } from "node:http2";
import { type AddressInfo, connect, createServer as listen, type Socket } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { afterEach, expect, test, vi } from "vitest";
import { createGateway } from "../../../clients/typescript/src/node.ts";
import { GatewayService } from "../../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { ask } from "./ways.ts";

afterEach(() => void vi.useRealTimers());

test("gRPC finds out, within a stream", async () => {
  await using way = await forgetful();
  const stream = createGateway({ baseUrl: way.url, transport: "grpc" }).stream(ask("Hello"));
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const events = stream[Symbol.asyncIterator]();
  expect(await events.next()).toMatchObject({ value: { token: "Hello" } });
  way.forget();
  const failing = expect(events.next()).rejects.toMatchObject({ kind: "connection_lost" });
  await vi.advanceTimersByTimeAsync(30_000);
  await vi.advanceTimersByTimeAsync(15_000);
  await failing;
});

/** A server that says a word of a stream and no more, and a way to it that can be cut in silence. */
async function forgetful() {
  const server = createServer(
    connectNodeAdapter({
      routes: (router) =>
        router.service(GatewayService, {
          async *stream(_, { signal }) {
            yield { token: "Hello" };
            await once(signal, "abort");
          },
        }),
    }),
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  const sockets = new Set<Socket>();
  let isForgotten = false;
  const way = listen((near) => {
    const far = connect((server.address() as AddressInfo).port, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {});
      from.on("data", (bytes) => isForgotten || to.write(bytes));
    }
  }).listen(0, "127.0.0.1");
  await once(way, "listening");
  return {
    url: `http://127.0.0.1:${(way.address() as AddressInfo).port}`,
    forget() {
      isForgotten = true;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([server, way].map((one) => new Promise((resolve) => one.close(resolve))));
    },
  };
}
