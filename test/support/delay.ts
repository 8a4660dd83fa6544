/** A relay on loopback behind which a server is as far away as the test wants. It knows nothing of what it relays. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Delay extends AsyncDisposable {
  readonly port: number;
  /** How long each piece of a reply is held back from now on. */
  delayMs: number;
}

export async function delayBefore(url: string): Promise<Delay> {
  const upstreamPort = Number(new URL(url).port);
  const sockets = new Set<Socket>();
  const delay = { delayMs: 0 };
  const server = createServer((client) => {
    const upstream = connect(upstreamPort, "127.0.0.1");
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true).on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.on("data", (bytes) => upstream.write(bytes));
    // In order: what was held back is not overtaken when the delay ends.
    let freeAtMs = 0;
    upstream.on("data", (bytes) => {
      freeAtMs = Math.max(freeAtMs, Date.now() + delay.delayMs);
      const waitMs = freeAtMs - Date.now();
      if (waitMs <= 0) client.write(bytes);
      else setTimeout(() => client.write(bytes), waitMs);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(delay, {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  });
}
