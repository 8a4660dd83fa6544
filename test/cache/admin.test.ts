/** What operators do with the cache, on every protocol: see what it holds and saves, clear it, warm it. */
import { createHash } from "node:crypto";
import { toJson } from "@bufbuild/protobuf";
import { TimestampSchema, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { AdminService, type WarmCacheResponse } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { VirtualClock } from "../support/clock.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { readEvents } from "../support/sse.ts";
import { TRANSPORTS } from "../support/transports.ts";

const CACHE = { enabled: true, remember_requests: 10 };
const MODEL = "openai/gpt-4o";
const question = (content: string, more: object = {}) => ({
  messages: [{ role: "user", content }],
  model: MODEL,
  ...more,
});

async function ask(url: string, path: string, body?: object, method = body ? "POST" : "GET", key = "") {
  const headers = { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };
  const reply = await fetch(`${url}/v1/gateway${path}`, {
    method,
    headers,
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: reply.status, json: JSON.parse(await reply.text()) };
}

const chat = (url: string, content: string, more: object = {}) =>
  ask(url, "/chat", question(content, more)).then(({ json }) => json);

const clearAll = (url: string) => ask(url, "/cache?all=true&forget_requests=true", undefined, "DELETE");

/** Over REST: every event, and the status where there are none. */
async function warmed(url: string, body: object, key = "") {
  const reply = await fetch(`${url}/v1/gateway/cache/warm`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) },
    body: JSON.stringify(body),
  });
  if (reply.headers.get("content-type") === "application/json")
    return { status: reply.status, json: JSON.parse(await reply.text()), events: [] };
  const events = [];
  for await (const { data = "" } of readEvents(
    (reply.body as ReadableStream).pipeThrough(new TextDecoderStream()),
  ))
    events.push(JSON.parse(data));
  return { status: reply.status, json: undefined, events };
}

async function told(events: AsyncIterable<WarmCacheResponse>): Promise<WarmCacheResponse[]> {
  return Array.fromAsync(events);
}

describe("on every protocol", () => {
  let both: GatewayUnderTest;
  beforeAll(async () => {
    both = await startBoth({ cache: CACHE });
  });
  afterAll(() => both[Symbol.asyncDispose]());
  beforeEach(() => clearAll(both.url));

  test.each(TRANSPORTS)("answers are kept, counted and let go of: %s", async (_, at) => {
    const admin = createClient(AdminService, at(both.url));
    const gateway = createClient(GatewayService, at(both.url));
    const before = await admin.getCacheStats({});
    const requests = [question("One"), question("Two", { metadata: { team: "search" } })];
    const events = await told(admin.warmCache({ requests }));
    expect(events.map(({ request }) => request?.outcome)).toEqual(["kept", "kept", undefined]);
    expect(events.at(-1)).toMatchObject({ done: true, totals: { requests: 2, kept: 2, failed: 0 } });
    const costs = events.slice(0, -1).map(({ request }) => request?.costPicoUsd ?? 0n);
    expect(events.at(-1)?.totals?.costPicoUsd).toBe((costs[0] ?? 0n) + (costs[1] ?? 0n));

    const reply = await gateway.chat(question("One"));
    expect(reply).toMatchObject({ cached: true, cacheKind: "exact" });
    const stats = await admin.getCacheStats({});
    expect(stats).toMatchObject({ enabled: true, entries: 2, semanticEntries: 0 });
    expect(stats.hits - before.hits).toBe(1n);
    // What was warmed is nobody's miss.
    expect(stats.misses).toBe(before.misses);
    expect(stats.savedPicoUsd - before.savedPicoUsd).toBe(reply.cost?.savedPicoUsd);

    expect(await admin.clearCache({ tag: "team=search" })).toMatchObject({ cleared: 1n });
    expect(await admin.clearCache({ model: MODEL, tenant: "nobody" })).toMatchObject({ cleared: 0n });
    expect(await admin.clearCache({ model: "gpt-4o" })).toMatchObject({ cleared: 1n });
    expect(await admin.getCacheStats({})).toMatchObject({ entries: 0, bytes: 0n });
  });

  test("over REST, as on the others", async () => {
    const requests = [question("One"), question("Two")];
    const { events } = await warmed(both.url, { requests, concurrency: 1 });
    expect(events.map(({ request }) => [request?.index, request?.outcome])).toEqual([
      [0, "kept"],
      [1, "kept"],
      [undefined, undefined],
    ]);
    const one = await chat(both.url, "One");
    expect(one).toMatchObject({ cached: true, cost: { saved_usd: events[0].request.cost_usd } });
    expect((await warmed(both.url, { requests: [question("One")] })).events[0].request).toMatchObject({
      outcome: "hit",
      cost_usd: 0,
    });
    const { json } = await ask(both.url, "/cache/stats");
    expect(json.models).toEqual([
      expect.objectContaining({ model: MODEL, entries: 2, bytes: expect.stringMatching(/^[1-9]/) }),
    ]);
    expect(await clearAll(both.url)).toEqual({
      status: 200,
      json: { cleared: "2", forgotten_requests: expect.any(String) },
    });
  });

  test.each([
    ["all must be said", "", "all", /must be true to let go of every answer/],
    ["all is not said beside another", "?all=true&model=openai", "all", /must not be true beside/],
    ["a tag has a value", "?tag=team", "tag", /^tag: must be NAME=VALUE, in one line$/],
  ])("%s", async (_, query, field, message) => {
    await chat(both.url, "One");
    const { status, json } = await ask(both.url, `/cache${query}`, undefined, "DELETE");
    expect(status).toBe(400);
    expect(json.message).toMatch(message);
    expect(JSON.stringify(json.details)).toContain(`"field":"${field}"`);
    expect((await ask(both.url, "/cache/stats")).json.entries).toBe(1);
  });

  test("what is not said is not warmed", async () => {
    expect(await warmed(both.url, {})).toMatchObject({
      status: 400,
      json: { message: expect.stringContaining("requests: must hold a request") },
    });
    const { status, json } = await warmed(both.url, { requests: [{ messages: [] }] });
    expect(status).toBe(400);
    expect(json.message).toContain("requests[0].messages");
  });
});

test("a cache that is off says so, and warms nothing", async () => {
  await using both = await startBoth();
  expect((await ask(both.url, "/cache/stats")).json).toMatchObject({ enabled: false, entries: 0 });
  const { status, json } = await warmed(both.url, { requests: [question("One")] });
  expect(status).toBe(400);
  expect(json.message).toContain("set cache.enabled");
  expect(both.emulator.meter.requests).toHaveLength(0);
});

test("the figures are those of the calls", async () => {
  const clock = new VirtualClock(Date.now());
  await using both = await startBoth({ cache: { ...CACHE, ttl: "100s", max_entries: 2 } }, { clock });
  const { url } = both;
  const began = clock.now();
  const first = await chat(url, "One");
  await clock.advance(5_000);
  await chat(url, "One");
  await chat(url, "Two");
  await chat(url, "Mine", { sensitive: true });
  const { json } = await ask(url, "/cache/stats");
  const { saved_usd } = { saved_usd: first.cost.actual_usd };
  expect(json).toMatchObject({
    enabled: true,
    entries: 2,
    max_entries: 2,
    max_bytes: "268435456",
    hits: "1",
    misses: "2",
    skipped: "1",
    hit_rate: 1 / 3,
    saved_usd,
    saved_pico_usd: first.cost.actual_pico_usd,
    oldest_age_ms: "5000",
    newest_age_ms: "0",
    since: toJson(TimestampSchema, timestampFromMs(began)),
    remembered_requests: 2,
  });
  expect(json.kinds).toEqual([
    { kind: "exact", hits: "1", saved_usd, saved_pico_usd: first.cost.actual_pico_usd },
    ...["semantic", "coalesced", "idempotent"].map((kind) => ({
      kind,
      hits: "0",
      saved_usd: 0,
      saved_pico_usd: "0",
    })),
  ]);
  expect(json.models).toMatchObject([
    { model: MODEL, entries: 2, hits: "1", misses: "2", skipped: "1", hit_rate: 1 / 3, saved_usd },
  ]);

  const evicted = async () =>
    Object.fromEntries(
      (await ask(url, "/cache/stats")).json.evictions.map((one: { reason: string; count: string }) => [
        one.reason,
        Number(one.count),
      ]),
    );
  await chat(url, "Three");
  await chat(url, "Three", { cache: "refresh" });
  await clock.advance(100_000);
  await chat(url, "Three");
  await ask(url, "/cache?all=true", undefined, "DELETE");
  expect(await evicted()).toMatchObject({ entries: 1, replaced: 1, expired: 2, bytes: 0, cleared: 1 });
});

test("a model's answers go, whoever was asked for them", async () => {
  const aliases = { fast: { targets: [{ target: "openai/gpt-4o-mini" }] } };
  await using both = await startBoth({ cache: CACHE, aliases });
  const cleared = async (model: string) =>
    (await ask(both.url, `/cache?model=${encodeURIComponent(model)}`, undefined, "DELETE")).json.cleared;
  await chat(both.url, "One", { model: "fast" });
  expect(await cleared(MODEL)).toBe("0");
  expect(await cleared("openai/gpt-4o-mini")).toBe("1");
  await chat(both.url, "One", { model: "fast" });
  expect(await cleared("fast")).toBe("1");
  expect(await cleared("nobody/knows")).toBe("0");
});

describe("with API keys", () => {
  const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");
  let both: GatewayUnderTest;
  beforeAll(async () => {
    const keys = [
      { name: "team", sha256: sha256("caller"), tenant: "red", cache_scope: "eu" },
      { name: "operator", sha256: sha256("operator"), scopes: ["admin"], tenant: "blue" },
    ];
    both = await startBoth({ auth: { keys }, cache: CACHE, server: { host: "127.0.0.1" } });
  });
  afterAll(() => both[Symbol.asyncDispose]());

  test("a caller's key may do none of it", async () => {
    for (const reply of [
      await ask(both.url, "/cache/stats", undefined, "GET", "caller"),
      await ask(both.url, "/cache?all=true", undefined, "DELETE", "caller"),
      await warmed(both.url, { requests: [question("One")] }, "caller"),
    ]) {
      expect(reply.status).toBe(403);
      expect(reply.json).toMatchObject({ code: "permission_denied" });
    }
  });

  test.each(TRANSPORTS)("nor over %s", async (_, at: (url: string) => Transport) => {
    const admin = createClient(AdminService, at(both.url));
    const as = { headers: { authorization: "Bearer caller" } };
    for (const answer of [
      () => admin.getCacheStats({}, as),
      () => admin.clearCache({ all: true }, as),
      () => told(admin.warmCache({ requests: [question("One")] }, as)),
    ] as (() => Promise<unknown>)[]) {
      const error = await answer().then(() => undefined, ConnectError.from);
      expect(error?.code).toBe(Code.PermissionDenied);
      expect(error?.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "permission_denied" }]);
    }
  });

  test("an operator warms for others, who pay and find it", async () => {
    const requests = [question("For red")];
    const more = { tenant: "red", cache_scope: "eu" };
    expect((await warmed(both.url, { requests, ...more }, "operator")).events[0].request.outcome).toBe(
      "kept",
    );
    const found = await ask(both.url, "/chat", requests[0], "POST", "caller");
    expect(found.json).toMatchObject({ cached: true });
    const own = await warmed(both.url, { requests }, "operator");
    expect(own.events[0].request.outcome).toBe("kept");
    const event = await both.log.about(own.events[0].request.request_id);
    expect(event).toMatchObject({ method: "WarmCache", principal: "operator", tenant: "blue" });
    const cleared = await ask(both.url, "/cache?tenant=red", undefined, "DELETE", "operator");
    expect(cleared.json.cleared).toBe("1");
  });
});
