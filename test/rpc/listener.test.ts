/** The port itself: which protocol comes in, whom it waits for, and how it goes down. */
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { LEAST_UNDER_WAY as UNDER_WAY } from "../../src/cost/answer.ts";
import { CALLERS } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { http1, http2, type Post } from "../support/http.ts";
import { readEvents } from "../support/sse.ts";
import { startUpstream } from "../support/upstream.ts";

let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth();
});
afterAll(() => both[Symbol.asyncDispose]());

const HELLO = { messages: [{ role: "user", content: "Hello" }], model: "openai/gpt-4o" };
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

async function dial(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, "connect");
  return socket;
}

async function answer(socket: Socket): Promise<Buffer> {
  const [piece] = await once(socket, "data");
  return piece;
}

describe("which protocol", () => {
  test("both versions of HTTP are served on the one port", async () => {
    const ask = async (post: Post) => {
      const reply = await post(`${both.url}/v1/gateway/chat`, JSON.stringify(HELLO));
      return JSON.parse(await reply.text());
    };
    const done = { finish_reason: "stop" };
    expect(await Promise.all([ask(http1), ask(http2)])).toMatchObject([done, done]);
  });

  test("a preface that comes byte by byte is HTTP/2", async () => {
    const socket = await dial(both.url);
    for (const byte of Buffer.from(PREFACE))
      await new Promise((sent) => socket.write(Uint8Array.of(byte), sent));
    socket.write(EMPTY_SETTINGS);
    const frame = await answer(socket);
    // A SETTINGS frame is the first that a server sends.
    expect(frame[3]).toBe(4);
    socket.destroy();
  });

  test("a request line that comes byte by byte is HTTP/1.1", async () => {
    const socket = await dial(both.url);
    const request = "GET /v1/gateway/health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for (const byte of Buffer.from(request))
      await new Promise((sent) => socket.write(Uint8Array.of(byte), sent));
    expect(String(await answer(socket))).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    socket.destroy();
  });

  test.each(["PRI", "PRI * HTTP/2.0\r\n\r\nXY\r\n\r\n", "PRINT / HTTP/1.1\r\n\r\n"])(
    "%j is no preface, and no request either",
    async (start) => {
      const socket = await dial(both.url);
      socket.write(start === "PRI" ? "PRI\r\n\r\n" : start);
      expect(String(await answer(socket))).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
      socket.destroy();
    },
  );

  test("several requests on one connection are answered in turn", async () => {
    const socket = await dial(both.url);
    const request = (path: string) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
    socket.end(request("/v1/gateway/health") + request("/v1/gateway/health/ready"));
    let text = "";
    for await (const piece of socket) text += piece;
    expect(text.match(/\{"status":"\w+"\}/g)).toEqual(['{"status":"alive"}', '{"status":"ready"}']);
  });
});

test("callers who say nothing keep nobody waiting", async () => {
  const silent = await Promise.all(Array.from({ length: 50 }, () => dial(both.url)));
  silent[0]?.write("PR");
  const reply = await http1(`${both.url}/v1/gateway/chat`, JSON.stringify(HELLO));
  expect(reply.status).toBe(200);
  await reply.text();
  for (const socket of silent) socket.destroy();
});

describe("going down", () => {
  async function startHeld(drain_timeout: string) {
    const upstream = await startUpstream();
    const running = await startBoth({
      server: { drain_timeout },
      providers: { held: { kind: "openai_compatible", base_url: upstream.url, default_model: "any" } },
    });
    return { upstream, ...running };
  }
  const ASK = { messages: [{ role: "user", content: "Hello" }], model: "held" };

  test.each(CALLERS)("a stream that runs is finished, and nothing new is let in: $name", async ({ at }) => {
    const { upstream, url, gateway } = await startHeld("10s");
    const probe = await dial(url);
    // A request whose head is not complete: its connection is in use.
    probe.write("GET /v1/gateway/health/ready HTTP/1.1\r\nhost: localhost\r\n");
    const events = at(url).stream(ASK)[Symbol.asyncIterator]();
    const first = events.next();
    const held = await upstream.next();
    held.say("Once");
    await first;

    const closed = gateway.close();
    probe.write("\r\n");
    expect(String(await answer(probe))).toMatch(/^HTTP\/1\.1 503 .*"reason":"shutting down"/s);
    probe.destroy();
    await expect(dial(url)).rejects.toMatchObject({ code: "ECONNREFUSED" });

    held.say(" upon a time");
    expect((await events.next()).value).toMatchObject({ token: " upon a time" });
    held.response.end(
      'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    );
    expect((await events.next()).value).toMatchObject({ done: true, finishReason: "stop" });
    expect((await events.next()).done).toBe(true);
    const overAtMs = performance.now();
    await closed;
    expect(performance.now() - overAtMs).toBeLessThan(2_000);
    await upstream[Symbol.asyncDispose]();
  });

  test("a drain_timeout of a month cuts nobody off", async () => {
    const { upstream, url, gateway } = await startHeld("2592000s");
    const asked = http1(`${url}/v1/gateway/stream`, JSON.stringify(ASK));
    const held = await upstream.next();
    held.say("Once");
    const events = readEvents((await asked).pieces);
    await events.next();
    const closed = gateway.close();
    // Whoever dials is refused once it goes down.
    await expect(dial(url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    held.say(" upon a time");
    expect((await events.next()).value?.data).toContain(" upon a time");
    held.response.end("data: [DONE]\n\n");
    await Promise.all([events.next(), closed]);
    await upstream[Symbol.asyncDispose]();
  });

  test("past drain_timeout a call is ended, told why, and still accounted for", async () => {
    const { upstream, url, gateway, log } = await startHeld("0.1s");
    const asked = http1(`${url}/v1/gateway/stream`, JSON.stringify(ASK), {
      headers: { "content-type": "application/json", "x-request-id": "cut-off" },
    });
    const held = await upstream.next();
    held.say("Once");
    const events = readEvents((await asked).pieces);
    await events.next();
    const closedAtMs = performance.now();
    const closed = gateway.close();
    expect((await events.next()).value?.data).toContain('"kind":"shutting_down"');
    await Promise.all([closed, held.closed]);
    expect(performance.now() - closedAtMs).toBeLessThan(2_000);
    expect(await log.about("cut-off")).toMatchObject({
      failure_kind: "shutting_down",
      output_tokens: expect.toSatisfy((tokens) => tokens >= 1 + UNDER_WAY),
    });
    await upstream[Symbol.asyncDispose]();
  });

  test("calls that are ended together have each a receipt of its own", async () => {
    const { upstream, url, gateway } = await startHeld("0.1s");
    const streams = [];
    for (const id of ["one", "two"]) {
      const asked = http1(`${url}/v1/gateway/stream`, JSON.stringify(ASK), {
        headers: { "content-type": "application/json", "x-request-id": id },
      });
      (await upstream.next()).say("Once");
      const events = readEvents((await asked).pieces);
      await events.next();
      streams.push(events);
    }
    const closed = gateway.close();
    const last = await Promise.all(streams.map(async (events) => (await events.next()).value?.data ?? "{}"));
    const ids = last.map((data) => JSON.parse(data).error.receipt.request_id);
    expect(ids).toEqual(["one", "two"]);
    await closed;
    await upstream[Symbol.asyncDispose]();
  });

  test.each(CALLERS)(
    "callers who read a stream until it is done do not hold it up: $name",
    async ({ at }) => {
      await using running = await startBoth({ server: { drain_timeout: "30s" } });
      for await (const { done } of at(running.url).stream(HELLO)) if (done) break;
      const closedAtMs = performance.now();
      await running.gateway.close();
      expect(performance.now() - closedAtMs).toBeLessThan(5_000);
    },
  );

  test("callers who say nothing do not hold it up", async () => {
    const { upstream, url, gateway } = await startHeld("30s");
    const silent = await dial(url);
    const kept = await dial(url);
    kept.write("GET /v1/gateway/health HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await answer(kept);
    const session = connectHttp2(url);
    await once(session, "connect");
    const closedAtMs = performance.now();
    await gateway.close();
    expect(performance.now() - closedAtMs).toBeLessThan(2_000);
    for (const socket of [silent, kept, session]) socket.destroy();
    await upstream[Symbol.asyncDispose]();
  });
});

describe("where it listens", () => {
  const KEYS = { LLMGATEWAY_API_KEYS: "team=secret-of-the-team" };
  test.each([
    ["loopback while everyone may call", {}, "127.0.0.1"],
    ["every address once there are keys", KEYS, "0.0.0.0"],
    ["wherever it is told", { ...KEYS, HOST: "10.0.0.1" }, "10.0.0.1"],
  ])("%s", (_, env, host) => {
    expect(loadConfig({ env }).server.host).toBe(host);
  });

  test("nobody outside reaches it while everyone may call", async () => {
    const { hostname, port } = new URL(both.url);
    expect(hostname).toBe("127.0.0.1");
    const addresses = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    for (const { internal, family, address } of addresses) {
      if (internal || family !== "IPv4") continue;
      await expect(dial(`http://${address}:${port}`)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    }
  });
});
