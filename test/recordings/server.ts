/** Plays recordings to whoever calls, over a real socket, in pieces of any size. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Recording } from "./recordings.ts";

export interface RecordingServer extends AsyncDisposable {
  readonly origin: string;
}

/** Serves `/<provider>/<name>/<bytes of each piece>/…`; 0 bytes is all at once. */
export async function serveRecordings(recordings: readonly Recording[]): Promise<RecordingServer> {
  const server = createServer((request, response) => {
    const [, provider, name, pieceBytes] = (request.url ?? "").split("/");
    const recording = recordings.find((one) => one.provider === provider && one.name === name);
    request.resume().on("end", () => {
      if (recording) play(recording, Number(pieceBytes), response);
      else response.writeHead(500).end("no such recording");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Every piece is an HTTP chunk of its own, which is what the reader sees; they share socket writes. */
function play({ meta, body }: Recording, pieceBytes: number, response: ServerResponse): void {
  // Some recorders dropped all headers, although no stream came without this one.
  const known = meta.content_type ?? (meta.body.endsWith(".sse") ? "text/event-stream" : undefined);
  response.writeHead(meta.status, { ...meta.headers, ...(known && { "content-type": known }) });
  response.cork();
  const step = pieceBytes || Math.max(1, body.length);
  for (let i = 0; i < body.length; i += step) response.write(body.subarray(i, i + step));
  response.uncork();
  response.end();
}
