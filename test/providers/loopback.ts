/** An HTTP server on loopback that keeps what it was sent, for asking an official SDK what it sends. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Loopback extends AsyncDisposable {
  readonly origin: string;
  /** Bodies of all requests so far, oldest first. */
  readonly bodies: string[];
}

/** Answers every request with the same. */
export async function answering(contentType: string, answer: string): Promise<Loopback> {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      bodies.push(Buffer.concat(pieces).toString());
      response.writeHead(200, { "content-type": contentType }).end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
