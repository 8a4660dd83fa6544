/** Warming: what it may cost, how many at once, what is not worth asking, and what ends it. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, test, vi } from "vitest";
import { AdminService, type WarmCacheResponse } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { VirtualClock } from "../support/clock.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const CACHE = { enabled: true };
const question = (content: string, more: object = {}) => ({
  messages: [{ role: "user", content }],
  model: "openai/gpt-4o",
  ...more,
});
/** Of so many tokens at most, so that the maximum of each is known. */
const short = (content: string) => question(content, { parameters: { maxTokens: 50 } });
const many = (count: number) => Array.from({ length: count }, (_, n) => short(`Question number ${n}`));

const clients = ({ url }: GatewayUnderTest) => {
  const transport = createGrpcTransport({ baseUrl: url });
  return { admin: createClient(AdminService, transport), gateway: createClient(GatewayService, transport) };
};

function countOf(events: readonly WarmCacheResponse[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { request } of events) if (request) counts[request.outcome] = (counts[request.outcome] ?? 0) + 1;
  return counts;
}

describe("a budget over all", () => {
  test.each([1, 4, 16])(
    "is not exceeded, and no answer is cut short for it: %d at once",
    async (concurrency) => {
      await using both = await startBoth({ cache: CACHE });
      const { admin } = clients(both);
      const events = await Array.fromAsync(
        admin.warmCache({ requests: many(40), maxCostUsd: 0.004, concurrency }),
      );
      const { kept = 0, skipped = 0, ...others } = countOf(events);
      expect(others).toEqual({});
      expect(kept + skipped).toBe(40);
      expect(kept).toBeGreaterThan(3);
      expect(skipped).toBeGreaterThan(3);
      const last = events.at(-1);
      expect(last?.totals).toMatchObject({ kept, skipped, failed: 0 });
      expect(last?.totals?.costUsd).toBeLessThanOrEqual(0.004);
      expect(both.emulator.meter.requests).toHaveLength(kept);
      expect(events.find(({ request }) => request?.outcome === "skipped")?.request).toMatchObject({
        failureKind: "budget_exceeded",
        reason: "the rest of max_cost_usd is less than twice what it is expected to cost",
      });
    },
  );

  test("bounds a request beside its own", async () => {
    await using both = await startBoth({ cache: CACHE });
    const { admin } = clients(both);
    const requests = [question("Hello", { maxCostUsd: 0.000_000_1 })];
    const [event] = await Array.fromAsync(admin.warmCache({ requests, maxCostUsd: 1 }));
    expect(event?.request).toMatchObject({ outcome: "failed", failureKind: "budget_exceeded", costUsd: 0 });
  });
});

test("so many are under way at once, and no more", async () => {
  await using both = await startBoth({ cache: CACHE }, { emulator: { firstTokenMs: 40 } });
  const { admin } = clients(both);
  for (const [concurrency, most] of [
    [0, 4],
    [2, 2],
  ] as const) {
    const metric = () => fetch(`${both.url}/v1/gateway/metrics`).then((reply) => reply.text());
    const seen: number[] = [];
    const events = admin.warmCache({ requests: many(12), concurrency, refresh: true });
    for await (const { request } of events)
      if (request)
        seen.push(Number(/llm_requests_in_flight\{route="warmcache"\} (\d+)/.exec(await metric())?.[1]));
    expect(Math.max(...seen)).toBeLessThanOrEqual(most);
    expect(Math.max(...seen)).toBeGreaterThan(0);
  }
});

test("what may not be kept is not asked, and what fails is told", async () => {
  await using both = await startBoth({ cache: CACHE });
  const { admin } = clients(both);
  const requests = [
    question("Mine", { sensitive: true }),
    question("[[emulate: status=500]] Hello"),
    question("Hello", { model: "nobody/knows" }),
    question("Hello", { stream: true, idempotencyKey: "k", cache: "bypass" }),
  ];
  const events = await Array.fromAsync(admin.warmCache({ requests, concurrency: 1 }));
  expect(events.map(({ request }) => [request?.outcome, request?.failureKind])).toEqual([
    ["skipped", ""],
    ["failed", "provider_error"],
    ["failed", "unknown_model"],
    ["kept", ""],
    [undefined, undefined],
  ]);
  expect(events[0]?.request?.reason).toContain("sensitive");
  expect(events.at(-1)?.totals).toMatchObject({ requests: 4, kept: 1, failed: 2, skipped: 1 });
  expect(both.emulator.meter.requests).toHaveLength(2);
});

test("a limit of calls is waited for", async () => {
  const clock = new VirtualClock(Date.now());
  await using both = await startBoth({ cache: CACHE, rate_limit: { rpm: 2 } }, { clock });
  const { admin } = clients(both);
  const leaving = new AbortController();
  const options = { signal: leaving.signal };
  const events = Array.fromAsync(admin.warmCache({ requests: many(3), concurrency: 1 }, options));
  const refused = () => both.log.events.filter(({ failure_kind }) => failure_kind === "rate_limited").length;
  await vi.waitFor(() => expect(refused()).toBe(1));
  // The limiter has the system's time, in which no minute passes; what is waited for is the gateway's.
  await clock.advance(30_000);
  expect(refused()).toBe(1);
  await clock.advance(30_000);
  await vi.waitFor(() => expect(refused()).toBe(2));
  expect(both.emulator.meter.requests).toHaveLength(2);
  leaving.abort();
  await expect(events).rejects.toThrow();
});

test("it ends when the caller leaves, and what is under way with it", async () => {
  await using both = await startBoth({ cache: CACHE }, { emulator: { firstTokenMs: 30_000 } });
  const { admin } = clients(both);
  const leaving = new AbortController();
  const events = Array.fromAsync(
    admin.warmCache({ requests: many(10), concurrency: 3 }, { signal: leaving.signal }),
  );
  await vi.waitFor(() => expect(both.emulator.meter.requests).toHaveLength(3));
  leaving.abort();
  await expect(events).rejects.toThrow();
  await vi.waitFor(() =>
    expect(
      both.log.events.filter(({ msg, method }) => msg === "call" && method === "WarmCache"),
    ).toMatchObject(Array(3).fill({ outcome: "abandoned" })),
  );
  expect(both.emulator.meter.requests).toHaveLength(3);
});

test("what breaks it off is its last event, over REST too", async () => {
  await using both = await startBoth({ cache: CACHE });
  const slow = question("[[emulate: delay_ms=20000]] Hello");
  const reply = await fetch(`${both.url}/v1/gateway/cache/warm`, {
    method: "POST",
    headers: { "content-type": "application/json", "connect-timeout-ms": "1500" },
    body: JSON.stringify({ requests: [question("Hello"), slow] }),
  });
  const [first, last] = (await reply.text()).trimEnd().split("\n\n");
  expect(JSON.parse(first?.replace("data: ", "") ?? "")).toMatchObject({ request: { outcome: "kept" } });
  const [name, data = ""] = last?.split("\n") ?? [];
  expect(name).toBe("event: error");
  expect(JSON.parse(data.replace("data: ", ""))).toMatchObject({
    done: false,
    error: { kind: "deadline_exceeded" },
  });
});

describe("the most frequent", () => {
  test("are those that were asked most, and made anew where that is wanted", async () => {
    await using both = await startBoth({ cache: { ...CACHE, remember_requests: 3 } });
    const { admin, gateway } = clients(both);
    for (const content of ["a", "b", "b", "c", "c", "c"]) await gateway.chat(question(content));
    await gateway.chat(question("secret", { sensitive: true }));
    const warm = async (more: object) => {
      const before = both.emulator.meter.requests.length;
      const events = await Array.fromAsync(admin.warmCache({ mostFrequent: 2, concurrency: 1, ...more }));
      const asked = both.emulator.meter.requests.slice(before).length;
      return { outcomes: events.map(({ request }) => request?.outcome).slice(0, -1), asked };
    };
    expect(await warm({})).toEqual({ outcomes: ["hit", "hit"], asked: 0 });
    expect(await warm({ refresh: true })).toEqual({ outcomes: ["kept", "kept"], asked: 2 });
    await admin.clearCache({ all: true });
    expect(await warm({})).toEqual({ outcomes: ["kept", "kept"], asked: 2 });
    expect((await gateway.chat(question("c"))).cached).toBe(true);
    expect((await gateway.chat(question("b"))).cached).toBe(true);
    expect((await gateway.chat(question("a"))).cached).toBe(false);
    expect(await warm({ tenant: "others" })).toEqual({ outcomes: [], asked: 0 });

    // The one that was not asked for longest gives way.
    await gateway.chat(question("d"));
    expect(await admin.getCacheStats({})).toMatchObject({ rememberedRequests: 3 });
    const forgotten = await admin.clearCache({ all: true, forgetRequests: true });
    expect(forgotten).toMatchObject({ forgottenRequests: 3n });
    expect(await warm({})).toEqual({ outcomes: [], asked: 0 });
  });

  test("are not remembered unless the configuration says so", async () => {
    await using both = await startBoth({ cache: CACHE });
    const { admin, gateway } = clients(both);
    await gateway.chat(question("a"));
    expect(await admin.getCacheStats({})).toMatchObject({ rememberedRequests: 0 });
    const events = await Array.fromAsync(admin.warmCache({ mostFrequent: 2 }));
    expect(events).toMatchObject([{ done: true, totals: { requests: 0 } }]);
  });
});
