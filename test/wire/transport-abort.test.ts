import { getEventListeners, once } from "node:events";
import { describe, expect, it, vi } from "vitest";
import { settled } from "../support/clock.ts";
import { loopback } from "./loopback.ts";

const loop = loopback();
const { serve, post } = loop;

describe("an abort", () => {
  const reason = new Error("the caller left");

  it("before the call sends nothing at all", async () => {
    await serve((_, reply) => reply.end());
    await expect(post(AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(loop.connections).toBe(0);
  });

  it("while the call waits for a connection ends it at once, and the provider never sees it", async () => {
    const release = Promise.withResolvers<void>();
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
    const first = post(undefined, "first");
    await vi.waitFor(() => expect(bodies).toEqual(["first"]));
    const leaving = new AbortController();
    const second = post(leaving.signal, "second");
    leaving.abort(reason);
    await expect(second).rejects.toBe(reason);
    release.resolve();
    await (await first).text(100);
    await (await post(undefined, "third")).text(100);
    expect(bodies).toEqual(["first", "third"]);
  });

  it("while the head is awaited closes the connection", async () => {
    const arrived = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
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
    const closed = Promise.withResolvers<void>();
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
    const closed = Promise.withResolvers<void>();
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
    const closed = Promise.withResolvers<void>();
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
    expect(loop.connections).toBe(1);
  });
});
