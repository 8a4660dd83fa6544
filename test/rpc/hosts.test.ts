/** The names by which a gateway may be asked that nobody needs a key for, and one that asks for keys. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:http2";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

let open: GatewayUnderTest;
let keyed: GatewayUnderTest;
beforeAll(async () => {
  open = await startBoth();
  const keys = [{ name: "search", sha256: createHash("sha256").update("a key").digest("hex") }];
  keyed = await startBoth({ auth: { keys }, server: { host: "127.0.0.1" } });
});
afterAll(async () => {
  await open[Symbol.asyncDispose]();
  await keyed[Symbol.asyncDispose]();
});

const ASKED = JSON.stringify({ messages: [{ role: "user", content: "Hello" }], model: "openai/gpt-4o" });
const CHAT = "/llmgateway.v1.GatewayService/Chat";
const EVIL = "pages.example.com:8080";
const JSON_TYPE = { "content-type": "application/json" };
const SAYS = `and not to "${EVIL}", since any page`;

async function ask(url: string, path: string, headers: object, body?: string) {
  const asked = request(url + path, { method: body ? "POST" : "GET", headers: { ...JSON_TYPE, ...headers } });
  asked.end(body);
  const [reply] = (await once(asked, "response")) as [IncomingMessage];
  return { status: reply.statusCode, body: await text(reply) };
}

test.each([
  ["REST", "/v1/gateway/chat", ASKED],
  ["Connect", CHAT, ASKED],
  ["REST without a body", "/v1/gateway/usage", undefined],
  ["metrics", "/v1/gateway/metrics", undefined],
  ["the console", "/", undefined],
  ["what is not there", "/nothing", undefined],
])("%s is not for whoever asks by a name that others can give", async (what, path, body) => {
  const called = open.emulator.meter.requests.length;
  const protocol = what === "Connect" ? { "connect-protocol-version": "1" } : {};
  const refused = await ask(open.url, path, { host: EVIL, ...protocol }, body);
  expect([refused.status, JSON.parse(refused.body)]).toMatchObject([
    403,
    { code: "permission_denied", message: expect.stringContaining(SAYS) },
  ]);
  expect(open.log.events.at(-1)).toMatchObject({ failure_kind: "permission_denied" });
  expect(open.emulator.meter.requests).toHaveLength(called);
});

test("a client of gRPC is told in its own protocol", async () => {
  const session = connect(open.url);
  const stream = session.request({
    ":method": "POST",
    ":path": CHAT,
    ":authority": EVIL,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.end(Buffer.alloc(5));
  const [headers] = await once(stream, "response");
  session.destroy();
  expect(headers).toMatchObject({ ":status": 200, "grpc-status": "7" });
  expect(decodeURIComponent(headers["grpc-message"])).toContain(SAYS);
});

test("the host of a whole URL is what was asked for", async () => {
  const { port } = new URL(open.url);
  const asked = request({ port, path: `http://${EVIL}/v1/gateway/models`, headers: { host: "localhost" } });
  asked.end();
  const [reply] = (await once(asked, "response")) as [IncomingMessage];
  expect([reply.statusCode, await text(reply)]).toEqual([403, expect.stringContaining("pages.example.com")]);
});

test.each([
  ["localhost"],
  ["LOCALHOST.:8080"],
  ["gateway.localhost:80"],
  ["127.0.0.1:8080"],
  ["127.1"],
  ["[::1]:8080"],
  ["192.168.1.5:8080"],
  [""],
])("%j is the machine itself, or no name", async (host) => {
  expect(await ask(open.url, "/v1/gateway/chat", { host }, ASKED)).toMatchObject({ status: 200 });
});

test.each([
  ["localhost.example.com"],
  ["127.0.0.1.example.com"],
  ["notlocalhost"],
  ["localhost@pages.example.com"],
  ["xn--a"],
  ["a b<>"],
])("%j is neither", async (host) => {
  expect(await ask(open.url, "/v1/gateway/chat", { host }, ASKED)).toMatchObject({ status: 403 });
});

test("where keys are asked for, any name will do", async () => {
  const asked = (headers: object) => ask(keyed.url, "/v1/gateway/chat", { host: EVIL, ...headers }, ASKED);
  expect(await asked({})).toMatchObject({ status: 401 });
  expect(await asked({ "x-api-key": "a key" })).toMatchObject({ status: 200 });
});
