import { getEventListeners, once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createTransport, type Transport, type WireReply } from "../../src/wire/transport.ts";
import { settled } from "../support/clock.ts";

type Handler = (request: IncomingMessage, reply: ServerResponse) => void;

let server: Server | undefined;
let transport: Transport | undefined;
let connections = 0;
const caller = new AbortController();

afterEach(async () => {
  // An exchange that is over holds on to nothing of its caller.
  expect(getEventListeners(caller.signal, "abort")).toEqual([]);
  server?.closeAllConnections();
  server?.close();
  await transport?.close();
});

async function serve(handler: Handler, { maxConnections = 8, bufferedReads = 4 } = {}): Promise<void> {
  connections = 0;
  server = createServer(handler).on("connection", () => connections++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  transport = createTransport({
    origin: `http://127.0.0.1:${port}`,
    maxConnections,
    connectTimeoutMs: 1_000,
    bufferedReads,
  });
}

function post(signal = caller.signal, body = "{}"): Promise<WireReply> {
  if (!transport) throw new Error("there is no transport yet");
  return transport.post("/v1/chat", { "content-type": "application/json" }, body, signal);
}

/** A promise, and the function that resolves it. */
function moment<T = void>() {
  return Promise.withResolvers<T>();
}

it("sends what it is given, and hands over the head and the body", async () => {
  const got = moment<unknown>();
  await serve(async (request, reply) => {
    const { method, url, headers } = request;
    let body = "";
    for await (const chunk of request) body += chunk;
    got.resolve({ method, url, type: headers["content-type"], body });
    reply.writeHead(429, { "retry-after": "7" }).end("slow down");
  });
  const reply = await post(caller.signal, '{"a":"ä"}');
  expect(reply.status).toBe(429);
  expect(reply.headers["retry-after"]).toBe("7");
  expect(await reply.text(100)).toBe("slow down");
  expect(await got.promise).toEqual({
    method: "POST",
    url: "/v1/chat",
    type: "application/json",
    body: '{"a":"ä"}',
  });
});

it("takes no interim reply for the reply", async () => {
  await serve((_, reply) => {
    reply.writeEarlyHints({ link: "</style.css>; rel=preload" }, () => reply.end("done"));
  });
  const reply = await post();
  expect(reply.status).toBe(200);
  expect(await reply.text(100)).toBe("done");
});

describe("read", () => {
  it("gives what has come as it comes, and undefined at the end", async () => {
    const second = moment();
    await serve(async (_, reply) => {
      reply.write("one");
      await second.promise;
      reply.end("two");
    });
    const reply = await post();
    expect(Buffer.concat((await reply.read()) ?? []).toString()).toBe("one");
    second.resolve();
    expect(Buffer.concat((await reply.read()) ?? []).toString()).toBe("two");
    expect(await reply.read()).toBeUndefined();
    expect(await reply.read()).toBeUndefined();
  });

  it("holds the provider back while nobody reads, and loses nothing", async () => {
    const chunk = Buffer.alloc(64 * 1024, "x");
    const chunks = 2_000;
    let written = 0;
    await serve(async (_, reply) => {
      reply.on("error", () => {});
      while (written < chunks && !reply.destroyed) {
        written++;
        if (!reply.write(chunk)) await once(reply, "drain");
      }
      reply.end();
    });
    const reply = await post();
    let before = -1;
    await vi.waitFor(
      () => {
        const stalled = written === before;
        before = written;
        expect(stalled).toBe(true);
      },
      { interval: 100, timeout: 10_000 },
    );
    // What the sockets of both sides hold, and a few reads; not the 125 MB that it would be.
    expect(written).toBeLessThan(chunks / 4);
    let bytes = 0;
    for (let some = await reply.read(); some; some = await reply.read()) {
      for (const one of some) bytes += one.length;
    }
    expect(bytes).toBe(chunks * chunk.length);
  });
});

describe("text", () => {
  it("joins what was cut within a character", async () => {
    await serve(async (_, reply) => {
      const bytes = Buffer.from("ä€😀");
      for (const byte of bytes) {
        await new Promise((resolve) => reply.write(Buffer.of(byte), resolve));
      }
      reply.end();
    });
    expect(await (await post()).text(100)).toBe("ä€😀");
  });

  it("takes as much as its limit, refuses more, and closes the connection then", async () => {
    const closed = moment();
    let size = 100;
    await serve((_, reply) => {
      reply.on("close", () => size > 100 && closed.resolve());
      reply.on("error", () => {});
      reply.write("x".repeat(size));
      if (size === 100) reply.end();
    });
    expect(await (await post()).text(100)).toHaveLength(100);
    size = 101;
    const reply = await post();
    await expect(reply.text(100)).rejects.toMatchObject({
      kind: "malformed_reply",
      operator: "reply of more than 100 bytes",
    });
    await closed.promise;
  });
});

describe("an abort", () => {
  const reason = new Error("the caller left");

  it("before the call sends nothing at all", async () => {
    await serve((_, reply) => reply.end());
    await expect(post(AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(connections).toBe(0);
  });

  it("while the call waits for a connection ends it at once, and the provider never sees it", async () => {
    const release = moment();
    const bodies: string[] = [];
    await serve(
      async (request, reply) => {
        let body = "";
        for await (const chunk of request) body += chunk;
        bodies.push(body);
        await release.promise;
        reply.end();
      },
      { maxConnections: 1 },
    );
    const first = post(caller.signal, "first");
    await vi.waitFor(() => expect(bodies).toEqual(["first"]));
    const leaving = new AbortController();
    const second = post(leaving.signal, "second");
    leaving.abort(reason);
    await expect(second).rejects.toBe(reason);
    release.resolve();
    await (await first).text(100);
    await (await post(caller.signal, "third")).text(100);
    expect(bodies).toEqual(["first", "third"]);
  });

  it("while the head is awaited closes the connection", async () => {
    const arrived = moment();
    const closed = moment();
    await serve((_, reply) => {
      reply.on("close", closed.resolve);
      arrived.resolve();
    });
    const leaving = new AbortController();
    const reply = post(leaving.signal);
    await arrived.promise;
    leaving.abort(reason);
    await expect(reply).rejects.toBe(reason);
    await closed.promise;
    expect(getEventListeners(leaving.signal, "abort")).toEqual([]);
  });

  it("while the body is awaited ends the read and closes the connection", async () => {
    const closed = moment();
    await serve((_, reply) => {
      reply.on("close", closed.resolve);
      reply.write("one");
    });
    const leaving = new AbortController();
    const reply = await post(leaving.signal);
    await reply.read();
    const read = reply.read();
    leaving.abort(reason);
    await expect(read).rejects.toBe(reason);
    await expect(reply.read()).rejects.toBe(reason);
    await closed.promise;
  });

  it("while the provider is held back closes the connection too", async () => {
    const closed = moment();
    await serve(async (_, reply) => {
      reply.on("error", () => {});
      reply.on("close", closed.resolve);
      while (!reply.destroyed) {
        if (!reply.write(Buffer.alloc(64 * 1024))) await Promise.race([once(reply, "drain"), closed.promise]);
      }
    });
    const leaving = new AbortController();
    await post(leaving.signal);
    leaving.abort(reason);
    await closed.promise;
  });
});

describe("cancel", () => {
  it("gives the rest up and closes the connection", async () => {
    const closed = moment();
    await serve((_, reply) => {
      reply.on("close", closed.resolve);
      reply.write("one");
    });
    const reply = await post();
    await reply.read();
    reply.cancel();
    await closed.promise;
    await expect(reply.read()).rejects.toMatchObject({ kind: "cancelled" });
  });

  it("leaves the connection alone when the reply is complete", async () => {
    await serve((_, reply) => reply.end("done"));
    const reply = await post();
    await reply.text(100);
    reply.cancel();
    await settled();
    await (await post()).text(100);
    expect(connections).toBe(1);
  });
});

describe("a connection", () => {
  it("is kept and used again", async () => {
    await serve((_, reply) => reply.end("done"));
    for (let i = 0; i < 5; i++) {
      await (await post()).text(100);
      // The pool takes a connection back when its socket is done with, a turn later.
      await settled();
    }
    expect(connections).toBe(1);
  });

  it("is shared by no more calls than there may be connections", async () => {
    const release = moment();
    let open = 0;
    await serve(
      async (_, reply) => {
        open++;
        await release.promise;
        reply.end("done");
      },
      { maxConnections: 2 },
    );
    const replies = [post(), post(), post(), post()];
    await vi.waitFor(() => expect(open).toBe(2));
    release.resolve();
    for (const reply of await Promise.all(replies)) await reply.text(100);
    expect(open).toBe(4);
    expect(connections).toBe(2);
  });

  it("that is refused leaves the provider unreachable: nothing can have been charged", async () => {
    await serve(() => {});
    server?.close();
    await once(server as Server, "close");
    await expect(post()).rejects.toMatchObject({
      kind: "unreachable",
      operator: expect.stringContaining("ECONNREFUSED"),
      traits: { maybePaid: false },
    });
  });

  it.each([
    ["reset", (request: IncomingMessage) => request.socket.resetAndDestroy()],
    ["closed", (request: IncomingMessage) => request.socket.end()],
  ])("that is %s before the head is cut: it may have been charged", async (_, end) => {
    await serve((request) => end(request));
    await expect(post()).rejects.toMatchObject({ kind: "cut", traits: { maybePaid: true } });
  });

  it.each([
    ["reset", (request: IncomingMessage) => request.socket.resetAndDestroy()],
    ["closed", (request: IncomingMessage) => request.socket.end()],
  ])("that is %s within the body is cut, after what came", async (_, end) => {
    const seen = moment();
    await serve(async (request, reply) => {
      reply.writeHead(200, { "content-length": "100" });
      reply.write("one");
      await seen.promise;
      end(request);
    });
    const reply = await post();
    expect(Buffer.concat((await reply.read()) ?? []).toString()).toBe("one");
    seen.resolve();
    await expect(reply.read()).rejects.toMatchObject({ kind: "cut" });
    await expect(reply.text(100)).rejects.toMatchObject({ kind: "cut" });
  });
});

describe("close", () => {
  it("waits for the calls under way, and lets no new one begin", async () => {
    const release = moment();
    await serve(async (_, reply) => {
      reply.write("one");
      await release.promise;
      reply.end("two");
    });
    const reply = await post();
    let closed = false;
    const closing = transport?.close().then(() => {
      closed = true;
    });
    await expect(post()).rejects.toMatchObject({ kind: "unreachable" });
    expect(Buffer.concat((await reply.read()) ?? []).toString()).toBe("one");
    expect(closed).toBe(false);
    release.resolve();
    expect(await reply.text(100)).toBe("two");
    await closing;
    transport = undefined;
  });
});
