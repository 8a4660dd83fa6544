/** A reader who stops reading stops the provider: nothing in between fills up, and nothing is lost when it goes on. */
import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { envelope } from "../support/grpc.ts";
import { type Held, startUpstream, type Upstream } from "../support/upstream.ts";

const EVENTS = 2_500;
const EVENT_BYTES = 16_000;
const ALL_BYTES = EVENTS * EVENT_BYTES;
/** Sockets on loopback hold some megabytes by themselves. */
const MOST_HELD_BYTES = 20_000_000;
const MOST_MEMORY_BYTES = 16_000_000;

let upstream: Upstream;
let both: GatewayUnderTest;
beforeAll(async () => {
  upstream = await startUpstream();
  both = await startBoth({
    providers: { flood: { kind: "openai_compatible", base_url: upstream.url } },
    stream: { buffer_size: 4 },
  });
});
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const ASK = { messages: [{ role: "user", content: "Go on" }], model: "flood/any" };

/** Says far more than any socket holds, as fast as it is taken. */
class Flood {
  writtenBytes = 0;

  async pour({ response }: Held): Promise<void> {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const word = eventOf({ content: "x".repeat(EVENT_BYTES) }, null);
    for (let count = 0; count < EVENTS; count++) {
      this.writtenBytes += EVENT_BYTES;
      if (!response.write(word)) await once(response, "drain");
    }
    response.end(`${eventOf({}, "stop")}data: [DONE]\n\n`);
  }
}

function eventOf(delta: object, finish_reason: string | null): string {
  return `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
}

/** A stream that was asked for, before anything of it was read. */
interface Asked {
  readonly stream: Readable;
  close(): void;
}

function askHttp1(path: string, type: string, body: Uint8Array): Asked {
  const { hostname, port } = new URL(both.url);
  const stream: Socket = connect(Number(port), hostname);
  stream.write(`POST ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n`);
  stream.write(`content-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n`);
  stream.write(body);
  return { stream, close: () => stream.destroy() };
}

function askHttp2(path: string, type: string, body: Uint8Array): Asked {
  const session: ClientHttp2Session = connectHttp2(both.url);
  const stream = session.request({ ":method": "POST", ":path": path, "content-type": type, te: "trailers" });
  stream.end(body);
  return { stream, close: () => session.close() };
}

const JSON_BODY = Buffer.from(JSON.stringify(ASK));
const PROTO_BODY = envelope(toBinary(ChatRequestSchema, create(ChatRequestSchema, ASK)));
const RPC = "/llmgateway.v1.GatewayService/Stream";

test.each([
  ["server-sent events", () => askHttp1("/v1/gateway/stream", "application/json", JSON_BODY), '"done":true'],
  [
    "server-sent events over HTTP/2",
    () => askHttp2("/v1/gateway/stream", "application/json", JSON_BODY),
    '"done":true',
  ],
  ["gRPC", () => askHttp2(RPC, "application/grpc+proto", PROTO_BODY), "stop"],
  ["Connect", () => askHttp1(RPC, "application/connect+proto", PROTO_BODY), "stop"],
])("%s", async (_, ask, last) => {
  const memoryBytes = usedMemory();
  const { stream, close } = ask();
  const flood = new Flood();
  const poured = flood.pour(await upstream.next());
  await once(stream, "readable");

  const heldBytes = await settled(() => flood.writtenBytes);
  expect(heldBytes).toBeLessThan(MOST_HELD_BYTES);
  expect(usedMemory() - memoryBytes).toBeLessThan(MOST_MEMORY_BYTES);

  let bytes = 0;
  let tail = "";
  stream.on("data", (piece: Buffer) => {
    bytes += piece.length;
    tail = (tail + piece.toString("latin1")).slice(-4096);
  });
  await Promise.all([poured, once(stream, "end")]);
  close();
  expect(flood.writtenBytes).toBe(ALL_BYTES);
  expect(bytes).toBeGreaterThan(ALL_BYTES);
  expect(tail).toContain(last);
});

/** What a figure comes to once it has not grown for a while. */
async function settled(figure: () => number): Promise<number> {
  let quiet = 0;
  for (let last = figure(); quiet < 5; last = figure()) {
    await sleep(50);
    quiet = figure() === last ? quiet + 1 : 0;
  }
  return figure();
}

/** Bytes in use after everything that could be freed was freed. */
function usedMemory(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
