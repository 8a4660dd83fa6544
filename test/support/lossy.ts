/** Stands before a server and has it do everything; some of its answers are lost on their way. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** What belongs to one connection, and not to what goes over it. */
const OF_CONNECTIONS = ["host", "connection", "content-length", "transfer-encoding"];

/**
 * @param isLost asked for each answer once it is there
 * @param instead what is answered in place of one that is lost
 */
export async function lossyBefore(
  target: string,
  isLost: (request: IncomingMessage) => boolean,
  instead: (reply: ServerResponse) => void = (reply) => void reply.destroy(),
) {
  const server = createServer(async (request, reply) => {
    const headers = Object.entries(request.headers).filter(([name]) => !OF_CONNECTIONS.includes(name));
    const sent = await buffer(request);
    const answer = await fetch(`${target}${request.url}`, {
      method: request.method ?? "",
      headers: headers.map(([name, value]): [string, string] => [name, String(value)]),
      ...(sent.length > 0 && { body: sent }),
    });
    const body = Buffer.from(await answer.arrayBuffer());
    if (isLost(request)) return instead(reply);
    reply.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
    reply.end(body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
