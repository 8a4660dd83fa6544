/** The measure of all: the least that a Node proxy can do. Parses and re-stringifies JSON; passes streams through. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Dispatcher, Pool } from "undici";

/** Serves until the process ends; gives its base URL. */
export async function startBare(upstream: string): Promise<string> {
  const pool = new Pool(upstream, { connections: 256 });
  const server = createServer((request, reply) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", async () => {
      const body = JSON.stringify(JSON.parse(Buffer.concat(chunks).toString()));
      const headers = { "content-type": "application/json", authorization: "Bearer bench" };
      const options = { method: "POST", path: "/v1/chat/completions", headers, body } as const;
      if (request.url === "/stream") {
        pool.dispatch(options, pass(reply));
        return;
      }
      const upstreamReply = await pool.request(options);
      const text = JSON.stringify(await upstreamReply.body.json());
      reply.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
      reply.end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function pass(reply: import("node:http").ServerResponse): Dispatcher.DispatchHandler {
  return {
    onRequestStart: () => {},
    onResponseStart: () => reply.writeHead(200, { "content-type": "text/event-stream" }),
    onResponseData(controller, chunk) {
      if (reply.write(chunk)) return;
      controller.pause();
      reply.once("drain", () => controller.resume());
    },
    onResponseEnd: () => reply.end(),
    onResponseError: () => reply.destroy(),
  };
}
