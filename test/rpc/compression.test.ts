/** Compression both ways: replies for callers that ask, and bodies that callers compressed. */
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { createClient } from "@connectrpc/connect";
import { compressionBrotli, compressionGzip, createGrpcTransport } from "@connectrpc/connect-node";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth({ server: { compress_min_bytes: 2000, max_body_bytes: 100_000 } });
});
afterAll(() => both[Symbol.asyncDispose]());

const DECOMPRESS: Record<string, (bytes: Buffer) => Buffer> = {
  gzip: gunzipSync,
  br: brotliDecompressSync,
};

const ask = (content: string) =>
  JSON.stringify({ messages: [{ role: "user", content }], model: "openai/gpt-4o" });
const LONG = ask("[[emulate: tokens=800]] Say much");
const SHORT = ask("Hello");

/** Undici's own `request`, which asks for nothing and undoes nothing. */
async function post(path: string, body: string | Buffer, headers: Record<string, string> = {}) {
  const reply = await request(both.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
  const bytes = Buffer.from(await reply.body.arrayBuffer());
  const encoding = reply.headers["content-encoding"]?.toString() ?? "";
  const decompress = DECOMPRESS[encoding];
  return {
    status: reply.statusCode,
    headers: reply.headers,
    encoding,
    bytes: bytes.length,
    text: (decompress ? decompress(bytes) : bytes).toString(),
  };
}

describe.each(["/v1/gateway/chat", "/llmgateway.v1.GatewayService/Chat"])("%s", (path) => {
  test.each([
    ["gzip", "gzip"],
    ["br", "br"],
    ["zstd, br", "br"],
    ["gzip, deflate, br, zstd", "gzip"],
    ["identity", ""],
    ["zstd", ""],
    ["br;q=0", ""],
  ])("answers accept-encoding %s with %j", async (accepted, encoding) => {
    const reply = await post(path, LONG, { "accept-encoding": accepted });
    const plain = await post(path, LONG);
    expect(reply.status).toBe(200);
    expect(reply.encoding).toBe(encoding);
    expect(reply.headers["content-length"]).toBe(String(reply.bytes));
    expect(JSON.parse(reply.text).response).toBe(JSON.parse(plain.text).response);
    if (encoding) expect(reply.bytes).toBeLessThan(plain.bytes / 2);
  });

  test("leaves short replies as they are", async () => {
    const reply = await post(path, SHORT, { "accept-encoding": "gzip, br" });
    expect(reply.encoding).toBe("");
    expect(JSON.parse(reply.text).finish_reason).toBe("stop");
  });

  test.each([
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
  ] as const)("reads a body in %s", async (encoding, compress) => {
    const reply = await post(path, compress(SHORT), { "content-encoding": encoding });
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.text).cost.output_tokens).toBe(30);
  });

  test("refuses what grows beyond the limit, without growing it", async () => {
    const bomb = gzipSync(ask("x".repeat(10_000_000)));
    expect(bomb.length).toBeLessThan(100_000);
    const reply = await post(path, bomb, { "content-encoding": "gzip" });
    expect(JSON.parse(reply.text)).toMatchObject({
      code: "resource_exhausted",
      message: expect.stringContaining("larger than 100000 bytes"),
    });
  });

  test("says so when a body is not what its encoding says", async () => {
    const reply = await post(path, "not gzip at all", { "content-encoding": "gzip" });
    expect(reply.status).toBe(400);
    expect(JSON.parse(reply.text)).toMatchObject({ code: "invalid_argument" });
    expect(JSON.parse(reply.text).message).toMatch(/the body is not/);
  });
});

test("an encoding that nobody knows is refused by name of those that are", async () => {
  const reply = await post("/v1/gateway/chat", SHORT, { "content-encoding": "zstd" });
  expect(reply.status).toBe(415);
  expect(reply.text).toContain("br or gzip");
});

test("caches are told that the reply depends on what the caller accepts", async () => {
  const reply = await post("/v1/gateway/chat", LONG);
  expect(reply.headers.vary).toBe("accept-encoding");
});

test("server-sent events are never compressed", async () => {
  const reply = await post("/v1/gateway/stream", LONG, { "accept-encoding": "gzip, br" });
  expect(reply.encoding).toBe("");
  expect(reply.text).toMatch(/^data: \{/);
});

test("metrics are compressed for a scraper that asks", async () => {
  const reply = await request(`${both.url}/v1/gateway/metrics`, { headers: { "accept-encoding": "gzip" } });
  const text = gunzipSync(Buffer.from(await reply.body.arrayBuffer())).toString();
  expect(reply.headers["content-encoding"]).toBe("gzip");
  expect(text).toContain("llm_requests_total");
});

test.each([compressionGzip, compressionBrotli])("gRPC in $name, both ways", async (compression) => {
  const gateway = createClient(
    GatewayService,
    createGrpcTransport({
      baseUrl: both.url,
      sendCompression: compression,
      acceptCompression: [compression],
      compressMinBytes: 10,
    }),
  );
  let encoding = "";
  const reply = await gateway.chat(
    { model: "openai/gpt-4o", messages: [{ role: "user", content: "[[emulate: tokens=800]] Say much" }] },
    {
      onHeader: (headers) => {
        encoding = headers.get("grpc-encoding") ?? "";
      },
    },
  );
  expect(encoding).toBe(compression.name);
  expect(reply.cost?.outputTokens).toBe(800);
});
