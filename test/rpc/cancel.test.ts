/** Who leaves or runs out of time ends the provider's work, and what was done until then is accounted for. */
import { once } from "node:events";
import { connect as connectHttp2, constants as HTTP2 } from "node:http2";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { LEAST_UNDER_WAY as UNDER_WAY } from "../../src/cost/answer.ts";
import { CALLERS, type Caller } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { gather } from "../support/gather.ts";
import { envelope } from "../support/grpc.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

const SOON_MS = 1_500;
const DEADLINE_MS = 300;

let upstream: Upstream;
let both: GatewayUnderTest;
beforeAll(async () => {
  upstream = await startUpstream();
  both = await startBoth({
    providers: { held: { kind: "openai_compatible", base_url: upstream.url, prices: "openai" } },
  });
});
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const ASK = { messages: [{ role: "user", content: "Tell me all of it" }], model: "held/gpt-4o" };

/** The headers of a call that its test can find in the log. */
function identified(more: Record<string, string> = {}) {
  const requestId = crypto.randomUUID();
  return { requestId, headers: { "x-request-id": requestId, ...more } };
}

/** As a header alone, so that no timer of the client's own is faster than the gateway's. */
function deadline({ protocol }: Caller): Record<string, string> {
  return protocol.startsWith("grpc")
    ? { "grpc-timeout": `${DEADLINE_MS}m` }
    : { "connect-timeout-ms": String(DEADLINE_MS) };
}

async function expectSoon(closed: Promise<unknown>, sinceMs: number): Promise<void> {
  await closed;
  expect(performance.now() - sinceMs).toBeLessThan(SOON_MS);
}

describe.each(CALLERS)("$name", (caller) => {
  const conversation = () => caller.at(both.url);

  test("a caller who leaves before the answer takes the provider's work along", async () => {
    const { requestId, headers } = identified();
    const leaving = new AbortController();
    const answer = conversation().chat(ASK, { headers, signal: leaving.signal });
    const held = await upstream.next();
    const leftAtMs = performance.now();
    leaving.abort();
    await expect(answer).rejects.toThrow();
    await expectSoon(held.closed, leftAtMs);
    expect(await both.log.about(requestId)).toMatchObject({
      method: "Chat",
      outcome: "abandoned",
      failure_kind: "cancelled",
      attempts: 1,
      provenance: "estimated",
      cost_usd: expect.toSatisfy((usd: number) => usd > 0),
    });
  });

  test("a caller who leaves within a stream takes the provider's work along", async () => {
    const { requestId, headers } = identified();
    const leaving = new AbortController();
    const events = conversation().stream(ASK, { headers, signal: leaving.signal })[Symbol.asyncIterator]();
    const first = events.next();
    const held = await upstream.next();
    held.say("Once");
    expect((await first).value).toMatchObject({ token: "Once" });
    const leftAtMs = performance.now();
    leaving.abort();
    await expect(events.next()).rejects.toThrow();
    await expectSoon(held.closed, leftAtMs);
    expect(await both.log.about(requestId)).toMatchObject({
      method: "Stream",
      outcome: "abandoned",
      failure_kind: "cancelled",
      output_tokens: expect.toSatisfy((tokens) => tokens >= 1 + UNDER_WAY),
      provenance: "estimated",
      cost_usd: expect.toSatisfy((usd: number) => usd > 0),
    });
  });

  test("a caller's deadline ends a chat", async () => {
    const { requestId, headers } = identified(deadline(caller));
    const sentAtMs = performance.now();
    const answer = conversation()
      .chat(ASK, { headers })
      .then(() => undefined, ConnectError.from);
    await expectSoon((await upstream.next()).closed, sentAtMs);
    expect((await answer)?.code).toBe(Code.DeadlineExceeded);
    expect(performance.now() - sentAtMs).toBeGreaterThanOrEqual(DEADLINE_MS - 5);
    expect(await both.log.about(requestId)).toMatchObject({
      failure_kind: "deadline_exceeded",
      provenance: "estimated",
    });
  });

  test("a caller's deadline ends a stream, before its first event and after", async () => {
    const silent = gather(conversation().stream(ASK, identified(deadline(caller))));
    const sentAtMs = performance.now();
    await expectSoon((await upstream.next()).closed, sentAtMs);
    expect(await silent).toMatchObject({ gathered: [], error: { code: Code.DeadlineExceeded } });

    const { requestId, headers } = identified(deadline(caller));
    const begun = gather(conversation().stream(ASK, { headers }));
    const held = await upstream.next();
    held.say("Once");
    await expectSoon(held.closed, performance.now());
    const { gathered, error } = await begun;
    expect(gathered[0]).toMatchObject({ token: "Once" });
    if (caller.protocol !== "rest") expect(error?.code).toBe(Code.DeadlineExceeded);
    else expect(gathered[1]?.error?.kind).toBe("deadline_exceeded");
    expect(await both.log.about(requestId)).toMatchObject({
      failure_kind: "deadline_exceeded",
      output_tokens: expect.toSatisfy((tokens) => tokens >= 1 + UNDER_WAY),
      provenance: "estimated",
      cost_usd: expect.toSatisfy((usd: number) => usd > 0),
    });
  });

  test("timeout_ms of the request ends a chat", async () => {
    const answer = conversation().chat({ ...ASK, timeoutMs: DEADLINE_MS });
    const held = await upstream.next();
    const error = await answer.then(() => undefined, ConnectError.from);
    expect(error?.code).toBe(Code.DeadlineExceeded);
    expect(error?.rawMessage).toBe(`not finished within timeout_ms, ${DEADLINE_MS} ms`);
    await expectSoon(held.closed, performance.now());
  });

  test("timeout_ms of the request ends a stream, with a receipt of what was said", async () => {
    const stream = gather(conversation().stream({ ...ASK, timeoutMs: DEADLINE_MS }));
    const held = await upstream.next();
    held.say("Once");
    const { gathered, error } = await stream;
    expect(gathered).toMatchObject([{ token: "Once" }, { error: { kind: "deadline_exceeded" } }]);
    const receipt = gathered[1]?.error?.receipt;
    expect(receipt?.cost).toMatchObject({
      outputTokens: expect.toSatisfy((tokens) => tokens >= 1 + UNDER_WAY),
      provenance: "estimated",
    });
    expect(receipt?.cost?.actualUsd).toBeGreaterThan(0);
    expect(receipt?.attempts).toMatchObject([{ outcome: "failed", failureKind: "deadline_exceeded" }]);
    if (caller.protocol !== "rest") expect(error?.code).toBe(Code.DeadlineExceeded);
    await expectSoon(held.closed, performance.now());
  });
});

test("a caller who closes an HTTP/2 connection without a word takes the provider's work along", async () => {
  const { requestId, headers } = identified();
  const socket = connect(Number(new URL(both.url).port), "127.0.0.1");
  const session = connectHttp2(both.url, { createConnection: () => socket });
  const call = session.request({
    ":method": "POST",
    ":path": "/llmgateway.v1.GatewayService/Stream",
    "content-type": "application/grpc+proto",
    te: "trailers",
    ...headers,
  });
  call.end(envelope(toBinary(ChatRequestSchema, create(ChatRequestSchema, ASK))));
  const held = await upstream.next();
  const leftAtMs = performance.now();
  // As the system does for a program that ends.
  socket.end();
  await expectSoon(held.closed, leftAtMs);
  expect(await both.log.about(requestId)).toMatchObject({ outcome: "abandoned", failure_kind: "cancelled" });
  session.destroy();
});

test("a caller who leaves before the request was all there has failed at nothing", async () => {
  const { requestId } = identified();
  const socket = connect(Number(new URL(both.url).port), "127.0.0.1");
  socket.write(`POST /v1/gateway/chat HTTP/1.1\r\nhost: localhost\r\nx-request-id: ${requestId}\r\n`);
  socket.write('content-type: application/json\r\ncontent-length: 100\r\n\r\n{"messages"', () =>
    socket.end(),
  );
  expect(await both.log.about(requestId)).toMatchObject({ outcome: "abandoned", failure_kind: "cancelled" });
});

const FLOOD = { messages: [{ role: "user", content: "[[emulate: flood=1]] Go on" }], model: "openai/gpt-4o" };

test.each([
  ["server-sent events", "/v1/gateway/stream", "application/json", Buffer.from(JSON.stringify(FLOOD))],
  [
    "gRPC",
    "/llmgateway.v1.GatewayService/Stream",
    "application/grpc+proto",
    envelope(toBinary(ChatRequestSchema, create(ChatRequestSchema, FLOOD))),
  ],
])("each caller who leaves a stream over HTTP/2 unread is told of: %s", async (_, path, type, body) => {
  const session = connectHttp2(both.url);
  const told = Array.from({ length: 8 }, async (_, number) => {
    const { requestId, headers } = identified();
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": type,
      te: "trailers",
      ...headers,
    });
    stream.end(body);
    await once(stream, "response");
    // As soon as it is full, and later.
    await sleep(20 * number);
    stream.close(HTTP2.NGHTTP2_CANCEL);
    return both.log.about(requestId);
  });
  const cancelled = told.map(() => expect.objectContaining({ failure_kind: "cancelled" }));
  expect(await Promise.all(told)).toEqual(cancelled);
  session.close();
});
