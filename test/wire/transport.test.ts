import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createTransport } from "../../src/wire/transport.ts";
import { canMakeCertificates, makeCertificate } from "../support/certificate.ts";
import { settled } from "../support/clock.ts";
import { loopback } from "./loopback.ts";

const loop = loopback();
const { serve, post } = loop;

it("sends what it is given, and hands over the head and the body", async () => {
  const got = Promise.withResolvers<unknown>();
  await serve(async (request, reply) => {
    const { method, url, headers } = request;
    let body = "";
    for await (const chunk of request) body += chunk;
    got.resolve({ method, url, type: headers["content-type"], body });
    reply.writeHead(429, { "retry-after": "7" }).end("slow down");
  });
  const reply = await post(undefined, '{"a":"ä"}');
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
    reply.writeEarlyHints({ link: "</style.css>; rel=preload" }, () => {
      setTimeout(() => reply.end("done"), 20);
    });
  });
  const reply = await post();
  expect(reply.status).toBe(200);
  expect(await reply.text(100)).toBe("done");
});

describe("read", () => {
  it("gives what has come as it comes, and undefined at the end", async () => {
    const second = Promise.withResolvers<void>();
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
    const closed = Promise.withResolvers<void>();
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

describe("a connection", () => {
  it("is kept and used again", async () => {
    await serve((_, reply) => reply.end("done"));
    for (let i = 0; i < 5; i++) {
      await (await post()).text(100);
      // The pool takes a connection back when its socket is done with, a turn later.
      await settled();
    }
    expect(loop.connections).toBe(1);
  });

  it("is shared by no more calls than there may be connections", async () => {
    const release = Promise.withResolvers<void>();
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
    expect(loop.connections).toBe(2);
  });

  it.runIf(canMakeCertificates)("speaks HTTP/1.1 where the provider has HTTP/2 too", async () => {
    const folder = mkdtempSync(join(tmpdir(), "llmgateway-transport-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    makeCertificate(cert, key);
    const offered = Promise.withResolvers<string[]>();
    const server = createTlsServer({
      cert: readFileSync(cert),
      key: readFileSync(key),
      ALPNCallback({ protocols }) {
        offered.resolve(protocols);
        return undefined;
      },
    }).listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const transport = createTransport({
      origin,
      maxConnections: 1,
      connectTimeoutMs: 1_000,
      bufferedReads: 4,
    });
    onTestFinished(transport.close);
    const never = new AbortController().signal;
    // Its certificate is not trusted, but what is offered stands before it.
    await expect(transport.post("/", {}, "{}", never)).rejects.toMatchObject({ kind: "unreachable" });
    expect(await offered.promise).toEqual(["http/1.1"]);
  });

  it("that is refused leaves the provider unreachable: nothing can have been charged", async () => {
    await serve(() => {});
    await loop.stop();
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
    const seen = Promise.withResolvers<void>();
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
    const release = Promise.withResolvers<void>();
    await serve(async (_, reply) => {
      reply.write("one");
      await release.promise;
      reply.end("two");
    });
    const reply = await post();
    let closed = false;
    const closing = loop.close().then(() => {
      closed = true;
    });
    await expect(post()).rejects.toMatchObject({ kind: "unreachable" });
    expect(Buffer.concat((await reply.read()) ?? []).toString()).toBe("one");
    expect(closed).toBe(false);
    release.resolve();
    expect(await reply.text(100)).toBe("two");
    await closing;
  });

  it("waits for the calls that wait for a connection too", async () => {
    const release = Promise.withResolvers<void>();
    await serve(
      async (_, reply) => {
        await release.promise;
        reply.end("done");
      },
      { maxConnections: 1 },
    );
    const both = [post(), post()];
    const closing = loop.close();
    release.resolve();
    for (const reply of both) expect(await (await reply).text(100)).toBe("done");
    await closing;
  });
});
