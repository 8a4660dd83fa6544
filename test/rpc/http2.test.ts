/** Connections of HTTP/2: those whose peer is gone, how many calls one may bear, and large messages on them. */
import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2, type Http2ServerRequest } from "node:http2";
import { connect, type Socket } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { Clock } from "../../src/core/clock.ts";
import { type Listener, listen } from "../../src/rpc/listener.ts";
import { VirtualClock } from "../support/clock.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const PING = 6;
const ACK = 1;
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

function frame(type: number, flags: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  return Buffer.concat([head, payload]);
}

/** A peer made by hand, that answers a ping only when it is told to. */
class Peer {
  readonly closed: Promise<unknown>;
  private readonly socket: Socket;
  private seen: Buffer = Buffer.alloc(0);
  private readonly pings: Buffer[] = [];
  private waiting: ((payload: Buffer) => void) | undefined;
  private answered = () => {};

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("error", () => {});
    this.closed = once(this.socket, "close");
    this.socket.on("data", (chunk: Buffer) => {
      this.seen = Buffer.concat([this.seen, chunk]);
      this.readFrames();
    });
    this.socket.write(Buffer.concat([PREFACE, frame(4, 0)]));
  }

  async pinged(): Promise<Buffer> {
    return (
      this.pings.shift() ??
      new Promise((resolve) => {
        this.waiting = resolve;
      })
    );
  }

  /** Resolves when the answer has been read there, which the answer to a ping behind it tells. */
  async answer(payload: Buffer): Promise<void> {
    this.socket.write(frame(PING, ACK, payload));
    await this.ping();
  }

  ping(): Promise<void> {
    this.socket.write(frame(PING, 0, Buffer.alloc(8)));
    return new Promise((resolve) => {
      this.answered = resolve;
    });
  }

  leave(): void {
    this.socket.destroy();
  }

  private readFrames(): void {
    for (let size = this.frameSize(); size <= this.seen.length; size = this.frameSize()) {
      const [type, flags] = [this.seen[3], this.seen[4]];
      const payload = this.seen.subarray(9, size);
      if (type === PING && flags === ACK) this.answered();
      else if (type === PING) {
        if (this.waiting) this.waiting(payload);
        else this.pings.push(payload);
        this.waiting = undefined;
      }
      this.seen = this.seen.subarray(size);
    }
  }

  private frameSize(): number {
    return this.seen.length < 9 ? Number.POSITIVE_INFINITY : 9 + this.seen.readUIntBE(0, 3);
  }
}

describe("a silent peer", () => {
  let clock: VirtualClock;
  let listener: Listener;
  async function start(): Promise<Peer> {
    clock = new VirtualClock();
    listener = await listen({
      host: "127.0.0.1",
      port: 0,
      tls: undefined,
      http2: { maxConcurrentStreams: 10, pingIntervalMs: 30_000, pingTimeoutMs: 20_000 },
      handler: (_, reply) => reply.end(),
      clock,
    });
    const peer = new Peer(listener.port);
    await peer.ping();
    return peer;
  }

  test("is asked again and again, and kept as long as it answers", async () => {
    const peer = await start();
    for (let round = 0; round < 3; round++) {
      await clock.advance(30_000);
      await peer.answer(await peer.pinged());
    }
    peer.leave();
    await listener.close(0);
    await expect.poll(() => clock.pending).toBe(0);
  });

  test("is kept when its answer lies there unread, because this process was late", async () => {
    const peer = await start();
    await clock.advance(30_000);
    const ping = await peer.pinged();
    let answered: Promise<void> | undefined;
    await clock.lapse(20_000, () => {
      answered = peer.answer(ping);
    });
    await answered;
    peer.leave();
    await listener.close(0);
  });

  test("that does not answer is cut", async () => {
    const peer = await start();
    await clock.advance(30_000);
    await peer.pinged();
    await clock.advance(20_000);
    await peer.closed;
    await listener.close(0);
    await expect.poll(() => clock.pending).toBe(0);
  });
});

test("a connection that was given up, and is not closed yet, is not asked any more", async () => {
  const due: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    after: (_, action) => {
      due.push(action);
      return { refresh: () => {}, cancel: () => {} };
    },
  };
  const asked = Promise.withResolvers<void>();
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    tls: undefined,
    http2: { maxConcurrentStreams: 10, pingIntervalMs: 30_000, pingTimeoutMs: 20_000 },
    handler: (request) => {
      (request as Http2ServerRequest).stream.session?.destroy();
      try {
        for (const action of due) action();
        asked.resolve();
      } catch (error) {
        asked.reject(error);
      }
    },
    clock,
  });
  const session = connectHttp2(`http://127.0.0.1:${listener.port}`);
  session.on("error", () => {});
  session.request({ ":path": "/" }).on("error", () => {});
  await asked.promise;
  expect(due.length).toBeGreaterThan(0);
  session.destroy();
  await listener.close(0);
});

describe("a connection whose callers give up", () => {
  /** Calls that are given up are never answered. */
  const RESET = "/reset";
  const CANCEL = 8;

  async function listenFor(maxConcurrentStreams: number): Promise<Listener> {
    return listen({
      host: "127.0.0.1",
      port: 0,
      tls: undefined,
      http2: { maxConcurrentStreams, pingIntervalMs: 30_000, pingTimeoutMs: 20_000 },
      handler: (request, reply) => request.url !== RESET && reply.end(),
      clock: new VirtualClock(),
    });
  }

  /** Opens so many calls and gives them up, as many at a time as the connection bears. Tells how many it took. */
  async function giveUp(session: ClientHttp2Session, count: number): Promise<number> {
    await once(session, "remoteSettings");
    const { maxConcurrentStreams = 1 } = session.remoteSettings;
    let given = 0;
    while (given < count && !session.destroyed) {
      const some = Array.from({ length: maxConcurrentStreams }, () => session.request({ ":path": RESET }));
      for (const stream of some) stream.on("error", () => {});
      const closed = some.map((stream) => new Promise((resolve) => stream.once("close", resolve)));
      await turn(session);
      for (const stream of some) stream.close(CANCEL);
      await Promise.all(closed);
      given += some.length;
    }
    await turn(session);
    return given;
  }

  /** The other side has read what was sent, or there is no other side any more. */
  function turn(session: ClientHttp2Session): Promise<void> {
    return new Promise((resolve) => {
      if (session.destroyed || !session.ping(() => resolve())) resolve();
    });
  }

  test("goes on for the others, however many calls are given up", async () => {
    const listener = await listenFor(200);
    const session = connectHttp2(`http://127.0.0.1:${listener.port}`);
    // Node by itself would have cut it at the thousandth.
    expect(await giveUp(session, 1_600)).toBe(1_600);
    const [head] = await once(session.request({ ":path": "/" }), "response");
    expect(head[":status"]).toBe(200);
    session.destroy();
    await listener.close(0);
  });

  test("is cut when they do nothing else: it is an attack by then", async () => {
    const listener = await listenFor(10);
    const session = connectHttp2(`http://127.0.0.1:${listener.port}`);
    session.on("error", () => {});
    const given = await giveUp(session, 1_000);
    expect(given).toBeGreaterThanOrEqual(100);
    expect(given).toBeLessThan(1_000);
    await listener.close(0);
  });
});

describe("one connection", () => {
  let both: GatewayUnderTest;
  beforeAll(async () => {
    both = await startBoth({ server: { http2: { max_concurrent_streams: 100 } } });
  });
  afterAll(() => both[Symbol.asyncDispose]());

  test("says how many calls it bears, and bears no more", async () => {
    const session = connectHttp2(both.url);
    await once(session, "remoteSettings");
    expect(session.remoteSettings.maxConcurrentStreams).toBe(100);
    session.close();
  });

  test("callers with more calls than that wait for their turn, and none fails", async () => {
    const gateway = createClient(GatewayService, createGrpcTransport({ baseUrl: both.url }));
    const ask = { model: "openai/gpt-4o", messages: [{ role: "user", content: "Hello" }] };
    const replies = await Promise.all(Array.from({ length: 300 }, () => gateway.chat(ask)));
    expect(replies.map(({ finishReason }) => finishReason)).toEqual(Array(300).fill("stop"));
  });

  test("bears messages of many megabytes, in both directions", async () => {
    const gateway = createClient(GatewayService, createGrpcTransport({ baseUrl: both.url }));
    // Of few words, since each is an event.
    const content = `${"syllable".repeat(100)} `.repeat(25_000);
    const reply = await gateway.chat({ model: "mock", messages: [{ role: "user", content }] });
    expect(reply.response.length).toBeGreaterThan(content.length);
  });
});
