/** What the client says when it is not the gateway that speaks: no answer, another's answer, or its own refusal. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import * as browser from "../../../clients/typescript/src/browser.ts";
import { createGateway } from "../../../clients/typescript/src/node.ts";
import { GatewayService } from "../../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { VirtualClock } from "../../support/clock.ts";
import { ask, failureOf, WAYS } from "./ways.ts";

/** A server on loopback that speaks HTTP/1.1. */
async function serve(listener: RequestListener) {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Those that speak HTTP/1.1, as the servers here do. */
const OVER_HTTP1 = WAYS.filter(({ name }) => name !== "gRPC");

describe.each(WAYS)("$name", ({ connect }) => {
  test("a header that cannot be", async () => {
    const gateway = connect({ baseUrl: "http://127.0.0.1:2" });
    const named = { headers: { "x-team": "検索" } };
    for (const call of [
      () => gateway.chat(ask("Hello"), named),
      () => gateway.stream(ask("Hello"), named).text(),
      () => gateway.watchJob({ jobId: "a" }, named).next(),
      () => gateway.watchJob({ jobId: "a" }, { requestId: "検索" }).next(),
    ])
      expect(await failureOf(call())).toMatchObject({ kind: "not_sent", previous: [] });
  });

  test("nobody listens", async () => {
    const gateway = connect({ baseUrl: "http://127.0.0.1:2", retry: false });
    expect(await failureOf(gateway.chat(ask("Hello"), { requestId: "mine" }))).toMatchObject({
      kind: "gateway_unreachable",
      code: Code.Unavailable,
      message: "no gateway answers at http://127.0.0.1:2 (connect ECONNREFUSED 127.0.0.1:2)",
      requestId: "mine",
      costUsd: undefined,
      provenance: "unknown",
    });
  });

  test.each<[string, object, RegExp]>([
    ["a number that is too large", { parameters: { maxTokens: 1e12 } }, /max_tokens.*invalid int32/],
    ["a message that is none", { messages: ["Hello"] }, /cannot use field .*Message.role/],
    ["a time that is none", { timeoutMs: 0 }, /timeoutMs must be above 0/],
  ])("%s is not sent", async (_, fields, message) => {
    const gateway = connect({ baseUrl: "http://127.0.0.1:2" });
    for (const call of [
      () => gateway.chat({ ...ask("Hello"), ...fields }),
      () => gateway.stream({ ...ask("Hello"), ...fields }).text(),
    ]) {
      const failure = await failureOf(call());
      expect(failure).toMatchObject({ kind: "not_sent", code: Code.InvalidArgument, previous: [] });
      expect(failure.message).toMatch(message);
    }
  });

  test("an interceptor's own error is not taken for the network's", async () => {
    const cause = new Error("the interceptor's own");
    const gateway = connect({
      baseUrl: "http://127.0.0.1:2",
      interceptors: [() => () => Promise.reject(cause)],
    });
    const failure = await failureOf(gateway.chat(ask("Hello")));
    expect(failure).toMatchObject({ kind: "not_sent", message: `the call was not sent: ${cause.message}` });
    expect(failure.cause).toMatchObject({ cause });
  });
});

describe.each(OVER_HTTP1)("$name", ({ connect }) => {
  test.each([502, 307])("something else answers, with status %i", async (status) => {
    const seen: unknown[] = [];
    await using proxy = await serve((request, reply) => {
      seen.push(request.url);
      reply.writeHead(status, { location: "/elsewhere" }).end("<h1>Not here</h1>");
    });
    const gateway = connect({ baseUrl: proxy.url });
    for (const call of [gateway.chat(ask("Hello")), gateway.stream(ask("Hello")).text()]) {
      const failure = await failureOf(call);
      expect(failure).toMatchObject({ kind: "gateway_unreachable", code: Code.Unavailable, previous: [] });
      expect(failure.message).toContain(`HTTP ${status}`);
    }
    // A key that is sent here is not carried elsewhere.
    expect(seen).not.toContain("/elsewhere");
    expect(seen).toHaveLength(2);
  });

  test("a gateway that does not keep the deadline is given up", async () => {
    const { promise: arrived, resolve } = Promise.withResolvers<void>();
    await using mute = await serve(() => resolve());
    const clock = new VirtualClock();
    const failing = failureOf(connect({ baseUrl: mute.url, clock, timeoutMs: 1_000 }).chat(ask("Hello")));
    await arrived;
    await clock.advance(1_499);
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    expect(await failing).toMatchObject({
      kind: "deadline_exceeded",
      code: Code.DeadlineExceeded,
      receipt: undefined,
      provenance: "unknown",
    });
  });

  test("AbortSignal.timeout is a deadline too", async () => {
    await using mute = await serve(() => {});
    const chat = connect({ baseUrl: mute.url }).chat(ask("Hello"), { signal: AbortSignal.timeout(20) });
    expect((await failureOf(chat)).kind).toBe("deadline_exceeded");
  });

  test("the connection breaks within a stream, which is not tried again", async () => {
    let served = 0;
    const adapter = connectNodeAdapter({
      routes: (router) =>
        router.rpc(GatewayService.method.stream, async function* (_, { requestHeader }) {
          served++;
          yield { token: "Hello", costUsd: 0.5, costPicoUsd: 500_000_000_000n };
          if (requestHeader.get("x-request-id") === "broken") throw new ConnectError("", Code.Unknown);
          yield {
            error: {
              kind: "cut",
              message: "it broke",
              retryInfo: { retryDelay: durationFromMs(1) },
              receipt: { requestId: "told", cost: { actualUsd: 1.5, provenance: "estimated" } },
            },
          };
        }),
    });
    await using server = await serve(adapter);
    const gateway = connect({ baseUrl: server.url, retry: { maxAttempts: 5 } });

    const broken = gateway.stream(ask("Hello"), { requestId: "broken" });
    expect(await failureOf(broken.text())).toMatchObject({
      kind: "connection_lost",
      code: Code.Unavailable,
      requestId: "broken",
      costUsd: 0.5,
      costPicoUsd: 500_000_000_000n,
      provenance: "estimated",
    });
    // The error event alone is enough, and it goes before what the stream had told of its cost.
    const told = gateway.stream(ask("Hello"));
    expect(await failureOf(told.text())).toMatchObject({
      kind: "cut",
      message: "it broke",
      retryAfterMs: 1,
      requestId: "told",
      costUsd: 1.5,
    });
    expect(served).toBe(2);
  });
});

test("options that cannot be are refused at once, by their name", () => {
  const baseUrl = "http://127.0.0.1:2";
  expect(() => browser.createGateway({ baseUrl, transport: "grpc" })).toThrow(
    /^transport: "grpc" needs Node.*use "connect" or "grpc-web"/,
  );
  const none = "http3" as "grpc";
  expect(() => createGateway({ baseUrl, transport: none })).toThrow('transport: there is no "http3"');
  expect(() => createGateway({ baseUrl: "gateway.example" })).toThrow("baseUrl: must be an absolute URL");
  expect(() => createGateway({ baseUrl: "ftp://gateway.example" })).toThrow("baseUrl: must be an absolute");
  const secret = () => createGateway({ baseUrl: "http://someone:secret@gateway.example" });
  expect(secret).toThrow("baseUrl: must hold no password; use apiKey");
});
