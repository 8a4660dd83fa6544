import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import {
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  deflateRawSync,
  deflateSync,
  gzipSync,
} from "node:zlib";
import { describe, expect, it } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import { decompressed } from "../../src/wire/decompress.ts";
import type { WireReply } from "../../src/wire/transport.ts";
import { settled } from "../support/clock.ts";
import { loopback } from "./loopback.ts";

const loop = loopback();
const TEXT = "Hé 🎉, once upon a time. ".repeat(200);

/** The reply to a server that answers with these bytes. */
async function answered(
  coding: string,
  bytes: Uint8Array,
  end = (reply: ServerResponse) => void reply.end(),
) {
  await loop.serve((_, reply) => {
    reply.writeHead(200, { "content-encoding": coding });
    reply.write(bytes, () => end(reply));
  });
  return decompressed(await loop.post());
}

async function failureOf(reading: Promise<unknown>): Promise<Failure> {
  const failure = await reading.catch((error: unknown) => error);
  if (!(failure instanceof Failure)) throw failure;
  return failure;
}

/** What could be read before it failed. */
async function readAll(reply: WireReply): Promise<{ text: string; failure: Failure | undefined }> {
  const chunks: Buffer[] = [];
  try {
    for (let some = await reply.read(); some; some = await reply.read()) chunks.push(...some);
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    return { text: Buffer.concat(chunks).toString(), failure };
  }
  return { text: Buffer.concat(chunks).toString(), failure: undefined };
}

describe("a whole reply", () => {
  it.each([
    ["gzip", gzipSync(TEXT)],
    ["x-gzip", gzipSync(TEXT)],
    [" GZIP ", gzipSync(TEXT)],
    ["deflate", deflateSync(TEXT)],
    ["deflate", deflateRawSync(TEXT)],
    ["br", brotliCompressSync(TEXT)],
    ["identity", Buffer.from(TEXT)],
    ["", Buffer.from(TEXT)],
  ])("by %j is what it was", async (coding, bytes) => {
    const reply = await answered(coding, bytes);
    expect(reply.status).toBe(200);
    expect(await reply.text(10_000)).toBe(TEXT);
    expect(await reply.read()).toBeUndefined();
  });

  it("of nothing is nothing", async () => {
    const head: OutgoingHttpHeaders = { "content-encoding": "gzip", "content-length": 0 };
    await loop.serve((_, reply) => void reply.writeHead(200, head).end());
    expect(await decompressed(await loop.post()).text(10)).toBe("");
  });

  it("by a coding that nobody asked for and nobody knows cannot be read", async () => {
    const failure = await failureOf(answered("zstd", Buffer.from("x")));
    expect(failure).toMatchObject({ kind: "malformed_reply", operator: expect.stringContaining("zstd") });
  });

  it("that is not what it says is malformed", async () => {
    const failure = await failureOf((await answered("gzip", Buffer.from("no gzip"))).text(100));
    expect(failure.kind).toBe("malformed_reply");
  });
});

describe("a reply that breaks off gives what came, and is cut", () => {
  const half = gzipSync(TEXT).subarray(0, -12);

  it("at its regular end", async () => {
    const { text, failure } = await readAll(await answered("gzip", half));
    expect(TEXT.startsWith(text)).toBe(true);
    expect(failure?.kind).toBe("cut");
  });

  it("with its connection", async () => {
    const flushed = gzipSync("all of this", { finishFlush: constants.Z_SYNC_FLUSH });
    const reply = await answered("gzip", flushed, (out) => void out.destroy());
    const { text, failure } = await readAll(reply);
    expect(text).toBe("all of this");
    expect(failure?.kind).toBe("cut");
  });
});

it.each(["gzip", "br"])("what the server flushed by %s comes before the server says more", async (coding) => {
  const heard = Promise.withResolvers<void>();
  await loop.serve(async (_, out) => {
    out.writeHead(200, { "content-encoding": coding });
    const encoder = coding === "gzip" ? createGzip() : createBrotliCompress();
    encoder.pipe(out);
    encoder.write("data: one\n\n");
    encoder.flush(coding === "gzip" ? constants.Z_SYNC_FLUSH : constants.BROTLI_OPERATION_FLUSH);
    await heard.promise;
    encoder.end("data: two\n\n");
  });
  const reply = decompressed(await loop.post());
  expect(String(await reply.read())).toBe("data: one\n\n");
  heard.resolve();
  expect(await reply.text(100)).toBe("data: two\n\n");
});

describe("a few bytes that would be a gigabyte", () => {
  const BOMB = gzipSync(Buffer.alloc(64 * 1024 * 1024));

  it("are given up at the limit, which counts what they were", async () => {
    const failure = await failureOf((await answered("gzip", BOMB)).text(1024 * 1024));
    expect(failure).toMatchObject({ kind: "malformed_reply", operator: "reply of more than 1048576 bytes" });
  });

  it("are inflated as they are read, and no further", async () => {
    const reply = await answered("gzip", BOMB);
    for (let i = 0; i < 20; i++) {
      expect(Buffer.concat((await reply.read()) ?? []).length).toBeLessThan(256 * 1024);
      // Time in which more could be inflated than anyone wants.
      for (let turn = 0; turn < 10; turn++) await settled();
    }
    reply.cancel();
  });
});

it("lets go of the provider when nobody wants the rest", async () => {
  const closed = Promise.withResolvers<void>();
  await loop.serve((_, out) => {
    out.on("close", closed.resolve);
    out.writeHead(200, { "content-encoding": "gzip" });
    out.write(gzipSync("some"));
  });
  const reply = decompressed(await loop.post());
  expect(String(await reply.read())).toBe("some");
  const rest = failureOf(reply.read());
  reply.cancel();
  await closed.promise;
  expect((await rest).kind).toBe("cancelled");
});
