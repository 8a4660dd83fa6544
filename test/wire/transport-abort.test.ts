import { getEventListeners, once } from "node:events";
import { queryObjects } from "node:v8";
import { describe, expect, it, vi } from "vitest";
import { Failure } from "../../src/core/failure.ts";
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

  it("while the call waits for a connection says that it is free, and takes no connection from others", async () => {
    const release = Promise.withResolvers<void>();
    await serve(
      async (_, reply) => {
        await release.promise;
        reply.end();
      },
      { maxConnections: 1 },
    );
    const first = post();
    const leaving = new AbortController();
    const second = post(leaving.signal);
    const third = post();
    const departure = new Failure("cancelled", "the caller left");
    leaving.abort(departure);
    await expect(second).rejects.toMatchObject({
      kind: "cancelled",
      message: "the caller left",
      operator: "it was still waiting for a connection to the provider",
      maybePaid: false,
      cause: departure,
    });
    expect(departure.maybePaid).toBe(true);
    release.resolve();
    await (await first).text(100);
    await (await third).text(100);
    expect(loop.connections).toBe(1);
  });

  it("while the call waits for a connection lets go of it, though no connection becomes free", async () => {
    class Body extends String {}
    await serve(() => {}, { maxConnections: 1 });
    const staying = new AbortController();
    const first = post(staying.signal);
    const leaving = new AbortController();
    const waiting = Array.from({ length: 100 }, () => post(leaving.signal, new Body("{}") as string));
    expect(queryObjects(Body, { format: "count" })).toBeGreaterThanOrEqual(100);
    leaving.abort(reason);
    await Promise.allSettled(waiting);
    await settled();
    expect(queryObjects(Body, { format: "count" })).toBeLessThan(2);
    staying.abort(reason);
    await expect(first).rejects.toBe(reason);
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
