/** Plays recordings to whoever calls, over a real socket, in pieces of any size. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import type { Recording } from "./recordings.ts";

export interface RecordingServer extends AsyncDisposable {
  readonly origin: string;
}

/** In bytes; 0 is the whole body at once. */
export const PIECES = [1, 7, 64, 0];

/**
 * How a recording is played: in pieces of each size, and compressed as well when it came so. Each is a part of the path
 * that the server knows.
 */
export function waysToPlay({ meta }: Recording): string[] {
  const ways = PIECES.map(String);
  return meta.content_encoding_on_the_wire === "gzip" ? [...ways, `7-${GZIP}`] : ways;
}

const GZIP = "gzip";

/** Serves `/<provider>/<name>/<way to play>/…`. */
export async function serveRecordings(recordings: readonly Recording[]): Promise<RecordingServer> {
  const server = createServer((request, response) => {
    const [, provider, name, way = ""] = (request.url ?? "").split("/");
    const recording = recordings.find((one) => one.provider === provider && one.name === name);
    request.resume().on("end", () => {
      if (recording) play(recording, way, response);
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
function play(recording: Recording, way: string, response: ServerResponse): void {
  const { meta } = recording;
  const [pieceBytes, coding] = way.split("-");
  // Some recorders dropped all headers, although no stream came without this one.
  const known = meta.content_type ?? (meta.body.endsWith(".sse") ? "text/event-stream" : undefined);
  const encoding = coding === GZIP ? { "content-encoding": GZIP } : {};
  const body = coding === GZIP ? gzipSync(recording.body) : recording.body;
  response.writeHead(meta.status, { ...meta.headers, ...(known && { "content-type": known }), ...encoding });
  response.cork();
  const step = Number(pieceBytes) || Math.max(1, body.length);
  for (let i = 0; i < body.length; i += step) response.write(body.subarray(i, i + step));
  response.uncork();
  response.end();
}
