/** TLS: the protocol is agreed on in the handshake, and everything else is as without. */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { systemClock } from "../../src/core/clock.ts";
import { listen } from "../../src/rpc/listener.ts";
import { canMakeCertificates, makeCertificate } from "../support/certificate.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const folder = mkdtempSync(join(tmpdir(), "llmgateway-tls-"));
const cert_path = join(folder, "cert.pem");
const key_path = join(folder, "key.pem");

describe.runIf(canMakeCertificates)("with a certificate", () => {
  let both: GatewayUnderTest;
  let ca: Buffer;
  beforeAll(async () => {
    makeCertificate(cert_path, key_path);
    ca = readFileSync(cert_path);
    both = await startBoth({ server: { tls: { cert_path, key_path } } });
  });
  afterAll(async () => {
    await both[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const HELLO = { messages: [{ role: "user", content: "Hello" }], model: "openai/gpt-4o" };

  test("the address is one of https", () => {
    expect(both.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  });

  test.each(["h2", "http/1.1"])("%s is agreed on when the caller offers it alone", async (protocol) => {
    const { hostname, port } = new URL(both.url);
    const socket = connect({ host: hostname, port: Number(port), ca, ALPNProtocols: [protocol] });
    await once(socket, "secureConnect");
    expect(socket.alpnProtocol).toBe(protocol);
    socket.destroy();
  });

  test("HTTP/1.1 is served", async () => {
    const asking = request(`${both.url}/v1/gateway/chat`, {
      method: "POST",
      ca,
      headers: { "content-type": "application/json" },
    });
    asking.end(JSON.stringify(HELLO));
    const [reply] = await once(asking, "response");
    let text = "";
    for await (const piece of reply) text += piece;
    expect(reply.httpVersion).toBe("1.1");
    expect(JSON.parse(text)).toMatchObject({ finish_reason: "stop" });
  });

  test("HTTP/2 is served", async () => {
    const session = connectHttp2(both.url, { ca });
    const stream = session.request({ ":path": "/v1/gateway/health" });
    let text = "";
    for await (const piece of stream.setEncoding("utf8")) text += piece;
    session.close();
    expect(text).toBe('{"status":"alive"}');
  });

  test("Connect and gRPC are served", async () => {
    const nodeOptions = { ca };
    const baseUrl = both.url;
    for (const transport of [
      createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions }),
      createGrpcTransport({ baseUrl, nodeOptions }),
    ]) {
      const reply = await createClient(GatewayService, transport).chat(HELLO);
      expect(reply.finishReason).toBe("stop");
    }
  });

  test("cleartext is not answered", async () => {
    const reply = fetch(both.url.replace("https:", "http:"));
    await expect(reply).rejects.toThrow();
  });

  test("a request over HTTP/1.1 may come in pieces while the reply before it is still being read", async () => {
    const LARGE = 8 * 1024 * 1024;
    const pem = (path: string) => readFileSync(path, "utf8");
    const listener = await listen({
      host: "127.0.0.1",
      port: 0,
      tls: { cert: pem(cert_path), key: pem(key_path) },
      http2: { maxConcurrentStreams: 100, pingIntervalMs: 30_000, pingTimeoutMs: 20_000 },
      handler: async (request, reply) => {
        let received = 0;
        for await (const piece of request) received += piece.length;
        reply.end(received === 0 ? Buffer.alloc(LARGE) : `received ${received}`);
      },
      clock: systemClock,
    });
    const socket = connect({ port: listener.port, host: "127.0.0.1", ca, ALPNProtocols: ["http/1.1"] });
    await once(socket, "secureConnect");
    socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await once(socket, "readable");
    // More than a TLS record holds, and so several of them at once.
    const body = "x".repeat(100_000);
    socket.write(`POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    let last = "";
    for await (const piece of socket.setEncoding("latin1")) {
      last = (last + piece).slice(-1_000);
      if (last.endsWith(`received ${body.length}`)) break;
    }
    expect(last).toContain("HTTP/1.1 200 OK");
    await listener.close(0);
  });

  test("kept connections do not hold its end up", async () => {
    const own = await startBoth({ server: { tls: { cert_path, key_path } } });
    const { hostname, port } = new URL(own.url);
    const socket = connect({ host: hostname, port: Number(port), ca, ALPNProtocols: ["http/1.1"] });
    await once(socket, "secureConnect");
    socket.write("GET /v1/gateway/health HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await once(socket, "data");
    const session = connectHttp2(own.url, { ca });
    await once(session, "connect");
    const closedAtMs = performance.now();
    await own[Symbol.asyncDispose]();
    expect(performance.now() - closedAtMs).toBeLessThan(2_000);
  });
});
