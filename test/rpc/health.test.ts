/** gRPC's health service: what probes and clients of any protocol hear, without a key. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  Health,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { Readiness } from "../../src/core/readiness.ts";
import { serveHealth } from "../../src/rpc/health.ts";
import { VirtualClock } from "../support/clock.ts";
import { listenUngated } from "../support/front.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

const NAMES = ["", GatewayService.typeName, AdminService.typeName];

describe.each(TRANSPORTS)("%s", (_, at) => {
  let both: GatewayUnderTest;
  beforeAll(async () => {
    const keys = [{ name: "team", sha256: "0".repeat(64) }];
    both = await startBoth({ auth: { keys }, server: { host: "127.0.0.1" } });
  });
  afterAll(() => both[Symbol.asyncDispose]());

  const health = () => createClient(Health, at(both.url));

  test("all that is known is serving, and no key is asked for", async () => {
    for (const service of NAMES) expect((await health().check({ service })).status).toBe(Status.SERVING);
    const { statuses } = await health().list({});
    expect(Object.keys(statuses)).toEqual(NAMES);
    expect(new Set(Object.values(statuses).map(({ status }) => status))).toEqual(new Set([Status.SERVING]));
    const others = createClient(GatewayService, at(both.url));
    await expect(others.getStatus({})).rejects.toMatchObject({ code: Code.Unauthenticated });
  });

  test("a service that is not known is not found", async () => {
    const { code, rawMessage } = await health()
      .check({ service: "llmgateway.v1.Other" })
      .then(() => expect.fail(), ConnectError.from);
    expect([code, rawMessage]).toEqual([Code.NotFound, 'there is no service "llmgateway.v1.Other"']);
  });
});

describe("who watches", () => {
  /** Counts those who wait for a change. */
  class CountedReadiness extends Readiness {
    waiting = 0;

    override async changed(signal: AbortSignal): Promise<void> {
      this.waiting++;
      await super.changed(signal);
      this.waiting--;
    }
  }

  async function serve() {
    const readiness = new CountedReadiness();
    const closing = new AbortController();
    const listener = await listenUngated({
      ungated: (router) =>
        serveHealth(router, { services: [GatewayService, AdminService], readiness, closing: closing.signal }),
    });
    const baseUrl = `http://127.0.0.1:${listener.port}`;
    const client = createClient(Health, createGrpcTransport({ baseUrl }));
    return { readiness, closing, client, [Symbol.asyncDispose]: () => listener.close(100) };
  }

  const watch = (responses: AsyncIterable<HealthCheckResponse>) => {
    const iterator = responses[Symbol.asyncIterator]();
    return async () => (await iterator.next()).value?.status;
  };

  test.each(NAMES)("%j hears the state at once, and every change", async (service) => {
    await using served = await serve();
    const { readiness, client } = served;
    const next = watch(client.watch({ service }));
    expect(await next()).toBe(Status.SERVING);
    for (let i = 0; i < 3; i++) {
      readiness.fail("draining", "shutting down");
      expect(await next()).toBe(Status.NOT_SERVING);
      // More words are no other state.
      readiness.fail("draining", "still shutting down");
      readiness.recover("draining");
      expect(await next()).toBe(Status.SERVING);
    }
  });

  test("hears that a service is not known, and may stay", async () => {
    await using served = await serve();
    const { readiness, client } = served;
    const next = watch(client.watch({ service: "llmgateway.v1.Other" }));
    expect(await next()).toBe(Status.SERVICE_UNKNOWN);
    readiness.fail("draining", "shutting down");
    await expect.poll(() => readiness.waiting).toBe(1);
  });

  test("is let go at once after leaving", async () => {
    await using served = await serve();
    const { readiness, client } = served;
    const leaving = new AbortController();
    const next = watch(client.watch({}, { signal: leaving.signal }));
    await next();
    await expect.poll(() => readiness.waiting).toBe(1);
    leaving.abort();
    await expect(next()).rejects.toMatchObject({ code: Code.Canceled });
    await expect.poll(() => readiness.waiting).toBe(0);
  });

  test("hears of the end, and does not hold it up", async () => {
    await using both = await startBoth({ server: { drain_timeout: "30s" } });
    const next = watch(createClient(Health, createGrpcTransport({ baseUrl: both.url })).watch({}));
    expect(await next()).toBe(Status.SERVING);
    const closedAtMs = performance.now();
    const closed = both.gateway.close();
    expect(await next()).toBe(Status.NOT_SERVING);
    await expect(next()).rejects.toMatchObject({ code: Code.Unavailable });
    await closed;
    expect(performance.now() - closedAtMs).toBeLessThan(5_000);
  });
});

test("for drain_delay everyone may still come in, and hears that it is not ready", async () => {
  const clock = new VirtualClock();
  await using both = await startBoth({ server: { drain_delay: "5s" } }, { clock });
  // Each transport opens a connection of its own.
  const client = <S extends typeof Health | typeof GatewayService>(service: S) =>
    createClient(service, createGrpcTransport({ baseUrl: both.url }));
  const closed = both.gateway.close();
  const ready = await fetch(`${both.url}/v1/gateway/health/ready`);
  expect([ready.status, await ready.json()]).toEqual([503, { status: "not ready", reason: "shutting down" }]);
  expect((await client(Health).check({})).status).toBe(Status.NOT_SERVING);
  const { statuses } = await client(Health).list({});
  const told = NAMES.map((name) => statuses[name]?.status);
  expect(told).toEqual(NAMES.map(() => Status.NOT_SERVING));
  expect((await client(GatewayService).getStatus({})).status).toBe("draining");
  await clock.advance(4_999);
  const { response } = await client(GatewayService).chat({
    model: "openai/gpt-4o",
    messages: [{ role: "user", content: "Hello" }],
  });
  expect(response).toContain("Hello");
  await clock.advance(1);
  await closed;
  await expect(client(Health).check({})).rejects.toMatchObject({ code: Code.Unavailable });
});
