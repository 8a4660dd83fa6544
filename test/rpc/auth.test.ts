/** API keys: asked for by every way in, before anything else is read. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CALLERS } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";

const KEY = "a-key-of-the-search-team";

let both: GatewayUnderTest;
beforeAll(async () => {
  const keys = [
    { name: "team-other", sha256: sha256("another-key") },
    { name: "team-search", sha256: sha256(KEY) },
  ];
  both = await startBoth({ auth: { keys }, server: { host: "127.0.0.1" } });
});
afterAll(() => both[Symbol.asyncDispose]());

function sha256(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

const HELLO = { messages: [{ role: "user", content: "Hello" }], model: "openai/gpt-4o" };

describe.each(CALLERS)("$name", ({ at }) => {
  test.each([
    ["a bearer token", { authorization: `Bearer ${KEY}` }],
    ["a bearer token in lower case", { authorization: `bearer ${KEY}` }],
    ["x-api-key", { "x-api-key": KEY }],
  ])("takes the key as %s", async (_, headers) => {
    const reply = await at(both.url).chat(HELLO, { headers });
    expect(reply.finishReason).toBe("stop");
    expect(await both.log.about(reply.requestId)).toMatchObject({ principal: "team-search" });
  });

  test.each([
    ["a missing key", {}, 'an API key is missing: send it as "Authorization: Bearer KEY"'],
    ["a wrong key", { authorization: "Bearer wrong" }, "the API key is not known"],
    ["a wrong x-api-key", { "x-api-key": `${KEY}x` }, "the API key is not known"],
    ["another scheme", { authorization: `Basic ${KEY}` }, /^an API key is missing/],
  ])("refuses %s", async (_, headers, message) => {
    const called = both.emulator.meter.requests.length;
    const conversation = at(both.url);
    const streamed = async () => {
      for await (const event of conversation.stream(HELLO, { headers })) expect.fail(JSON.stringify(event));
    };
    for (const answer of [() => conversation.chat(HELLO, { headers }), streamed]) {
      const error = await answer().then(() => undefined, ConnectError.from);
      expect(error?.code).toBe(Code.Unauthenticated);
      expect(error?.rawMessage).toMatch(message);
    }
    expect(both.emulator.meter.requests).toHaveLength(called);
  });
});

test("a refusal is 401 on plain HTTP, and told in the log without the key", async () => {
  const headers = { "content-type": "application/json", authorization: "Bearer wrong-but-secret" };
  for (const path of ["/v1/gateway/chat", "/v1/gateway/stream", "/llmgateway.v1.GatewayService/Chat"]) {
    const reply = await http1(both.url + path, JSON.stringify(HELLO), { headers });
    expect(reply.status).toBe(401);
    expect(JSON.parse(await reply.text())).toMatchObject({ code: "unauthenticated" });
  }
  const models = await fetch(`${both.url}/v1/gateway/models`);
  expect(models.status).toBe(401);
  await models.text();
  expect(both.log.events).toContainEqual(
    expect.objectContaining({ method: "ListModels", failure_kind: "unauthenticated" }),
  );
  expect(JSON.stringify(both.log.events)).not.toContain("wrong-but-secret");
});

test("probes and metrics need no key", async () => {
  for (const path of ["/v1/gateway/health", "/v1/gateway/health/ready", "/v1/gateway/metrics"]) {
    const reply = await fetch(both.url + path);
    expect(reply.status).toBe(200);
    await reply.text();
  }
});

describe("a body is not waited for", () => {
  test.each([
    ["REST", "/v1/gateway/chat", "application/json"],
    ["server-sent events", "/v1/gateway/stream", "application/json"],
    ["Connect", "/llmgateway.v1.GatewayService/Chat", "application/proto"],
    ["gRPC-Web", "/llmgateway.v1.GatewayService/Chat", "application/grpc-web+proto"],
  ])("over %s", async (_, path, type) => {
    const { hostname, port } = new URL(both.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}\r\ncontent-length: 33000000\r\n\r\n`,
    );
    const [head] = await once(socket, "data");
    expect(String(head)).toMatch(type.startsWith("application/grpc") ? /^HTTP\/1.1 200 / : /^HTTP\/1.1 401 /);
    socket.destroy();
  });

  test("over gRPC", async () => {
    const session = connectHttp2(both.url);
    const stream = session.request({
      ":method": "POST",
      ":path": "/llmgateway.v1.GatewayService/Chat",
      "content-type": "application/grpc+proto",
      te: "trailers",
    });
    stream.resume();
    const [trailers] = await once(stream, "trailers");
    expect(trailers["grpc-status"]).toBe(String(Code.Unauthenticated));
    session.destroy();
  });
});
