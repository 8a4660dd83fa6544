/** Requests that come again in the same bytes: given the same answer and told like any other hit, or not repeated at all. */
import { createHash } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it, test } from "vitest";
import { ChatRequestSchema, ChatResponseSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { given } from "../../src/cache/given.ts";
import { Memory } from "../../src/cache/memory.ts";
import { deepFreeze } from "../../src/core/freeze.ts";
import { fold } from "../../src/core/reply.ts";
import { repeat } from "../../src/layers/repeat.ts";
import { Bodies } from "../../src/rpc/json/bodies.ts";
import { type CallInit, callOf } from "../support/call.ts";
import type { ChatInit } from "../support/callers.ts";
import { VirtualClock } from "../support/clock.ts";
import { samplesOf } from "../support/exposition.ts";
import { type Configuration, type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { entryOf } from "./entries.ts";

describe("the layer", () => {
  const clock = new VirtualClock();

  /** Looks up all that it is asked for, as the cache below does; counts how often. */
  function started() {
    const answers = new Memory(clock, { maxEntries: 10, maxBytes: 1_000_000 });
    let looked = 0;
    const service = repeat({
      answers: { find: () => answers.find("key"), atHand: () => answers.atHand("key") },
      ruleOf: () => ({ identity: "house" }),
      clock,
      around: (next) => next,
    })(async (call) => {
      looked++;
      const entry = answers.find("key");
      if (!entry) throw new Error("asks the provider");
      return given(call, entry.answer, { kind: "exact" });
    });
    answers.keep("key", entryOf("key", { text: "Kept", storedAtMs: clock.now() }));
    const ask = async (request: ReturnType<typeof requestOf>, init: Omit<CallInit, "request"> = {}) => {
      const call = { ...callOf({ streaming: false, ...init }), request };
      const { response } = await fold(await service(call));
      return { response, tally: call.tally, looked };
    };
    const contentFor = async (request: ReturnType<typeof requestOf>) =>
      (await service({ ...callOf({ streaming: false }), request })).whole?.content;
    return { answers, ask, contentFor };
  }

  const requestOf = (init: ChatInit = {}) =>
    deepFreeze(create(ChatRequestSchema, { messages: [{ role: "user", content: "Hi" }], ...init }));

  it("looks once for a request that it is given again, and tells the same of it", async () => {
    const { ask } = started();
    const request = requestOf();
    const first = await ask(request);
    const second = await ask(request);
    expect([first.looked, second.looked]).toEqual([1, 1]);
    expect(second.response).toBe("Kept");
    expect(second.tally.served).toEqual(first.tally.served);
    expect(second.tally.cache).toEqual(first.tally.cache);
    expect(second.tally.attempts).toEqual([]);
  });

  it.each<[string, ReturnType<typeof requestOf>, Omit<CallInit, "request">]>([
    ["that somebody may have changed", create(ChatRequestSchema), {}],
    ["that is streamed", requestOf(), { streaming: true }],
    ["under a key", requestOf({ idempotencyKey: "k" }), {}],
    ["under a key of its header", requestOf(), { context: { idempotencyKey: "k" } }],
    ["made of a template", requestOf({ template: "t" }), {}],
  ])("looks each time for one %s", async (_, request, init) => {
    const { ask } = started();
    await ask(request, init);
    expect((await ask(request, init)).looked).toBe(2);
  });

  it.each<[string, Pick<CallInit, "context">]>([
    ["tenant", { context: { tenant: "other" } }],
    ["scope", { context: { cacheScope: "other" } }],
  ])("looks again for who is of another %s", async (_, init) => {
    const { ask } = started();
    const request = requestOf();
    await ask(request);
    expect((await ask(request, init)).looked).toBe(2);
  });

  it("looks again once the cache has another answer, none any more, or one that is too old for it", async () => {
    const { ask, answers } = started();
    const [request, hasty] = [requestOf(), requestOf({ cacheTtlSeconds: 1 })];
    await ask(request);
    await ask(hasty);
    await clock.advance(2_000);
    expect((await ask(request)).looked).toBe(2);
    expect((await ask(hasty)).looked).toBe(3);
    answers.keep("key", entryOf("key", { text: "Another", storedAtMs: clock.now() }));
    expect(await ask(request)).toMatchObject({ response: "Another", looked: 4 });
    await answers.clear({});
    await expect(ask(request)).rejects.toThrow("asks the provider");
  });

  it("holds an answer a second time for as long as its request is known", async () => {
    const { answers, contentFor } = started();
    const forgotten = async () => {
      const request = requestOf();
      await contentFor(request);
      return new WeakRef((await contentFor(request)) ?? {});
    };
    const again = await forgotten();
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const isThere = () => {
      collect();
      return again.deref() !== undefined;
    };
    await expect.poll(isThere).toBe(false);
    expect(answers.atHand("key")).toBeDefined();
  });
});

describe("bodies", () => {
  const { chat, stream } = GatewayService.method;
  const answer = (cacheKind: string) => create(ChatResponseSchema, { cacheKind });
  const request = () => create(ChatRequestSchema, { messages: [{ role: "user", content: "Hi" }] });

  it("are known once the cache has answered them, and cannot be changed any more", () => {
    const bodies = new Bodies();
    const [first, other] = [request(), request()];
    bodies.keep(chat, "{1}", first, answer("exact"));
    bodies.keep(chat, "{1}", other, answer("exact"));
    expect(bodies.find(chat, "{1}")).toBe(first);
    expect(Object.isFrozen(first.messages[0])).toBe(true);
    expect([bodies.find(chat, "{1} "), bodies.find(stream, "{1}")]).toEqual([undefined, undefined]);
  });

  it("are not known that another answered, or that are long", () => {
    const bodies = new Bodies();
    const long = "x".repeat(16_001);
    bodies.keep(chat, "{1}", request(), answer(""));
    bodies.keep(chat, "{2}", request(), answer("semantic"));
    bodies.keep(chat, long, request(), answer("exact"));
    expect(["{1}", "{2}", long].map((text) => bodies.find(chat, text))).toEqual(Array(3).fill(undefined));
  });

  it("give way to later ones", () => {
    const bodies = new Bodies();
    for (let number = 0; number <= 500; number++)
      bodies.keep(chat, `{${number}}`, request(), answer("exact"));
    expect([bodies.find(chat, "{0}"), bodies.find(chat, "{500}")]).toEqual([undefined, expect.anything()]);
  });
});

const HELLO = { model: "openai/gpt-4o", messages: [{ role: "user", content: "Hello" }] };

async function post({ url }: GatewayUnderTest, body: object, headers: Record<string, string> = {}) {
  const reply = await fetch(`${url}/v1/gateway/chat`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: reply.status, json: JSON.parse(await reply.text()), headers: reply.headers };
}

/** Asks the same so often, one after the other. */
async function repeated(both: GatewayUnderTest, times: number, body: object = HELLO, headers = {}) {
  const replies = [];
  for (let time = 0; time < times; time++) replies.push(await post(both, body, headers));
  return replies;
}

test("each is answered, logged, counted and booked as the first hit was", async () => {
  await using both = await startBoth({ cache: { enabled: true } });
  const body = { ...HELLO, metadata: { team: "search" } };
  const [, first, ...others] = await repeated(both, 6, body);
  expect(first?.json).toMatchObject({ cached: true, cache_kind: "exact" });
  for (const { json, headers } of others) {
    expect(json).toEqual({ ...first?.json, request_id: expect.not.stringMatching(first?.json.request_id) });
    expect(headers.get("x-request-id")).toBe(json.request_id);
  }
  const own = ["time", "request_id", "trace_id", "span_id", "latency_ms", "first_event_ms"];
  const plain = (fields: object) => Object.entries(fields).filter(([name]) => !own.includes(name));
  const [, hit, ...hits] = both.log.events.filter(({ msg }) => msg === "call");
  expect(hits).toHaveLength(4);
  for (const event of hits) expect(plain(event)).toEqual(plain(hit ?? {}));

  const text = await (await fetch(`${both.url}/v1/gateway/metrics`)).text();
  expect(Object.values(samplesOf(text, "llm_cache_hit_total"))).toEqual([5]);
  expect(Object.values(samplesOf(text, "llm_requests_in_flight")).every((count) => count === 0)).toBe(true);
  const asked = async (path: string) =>
    JSON.parse(await (await fetch(`${both.url}/v1/gateway/${path}`)).text());
  expect(await asked("cache/stats")).toMatchObject({ hits: "5", misses: "1" });
  const { requests } = await asked("requests");
  const differing = ["request_id", "call_id", "started_at", "ended_at", "latency_ms", "trace_id"];
  const rows = requests.map((row: object) =>
    Object.fromEntries(Object.entries(row).filter(([name]) => !differing.includes(name))),
  );
  expect(rows).toHaveLength(6);
  expect(rows.slice(0, 5)).toEqual(Array(5).fill(rows[4]));
  expect(rows[4]).toMatchObject({ cache_kind: "exact" });
  expect(both.emulator.meter.requests).toHaveLength(1);
});

test("what is cleared, or wanted anew, is asked of the provider again", async () => {
  await using both = await startBoth({ cache: { enabled: true } });
  await repeated(both, 4);
  await fetch(`${both.url}/v1/gateway/cache?all=true`, { method: "DELETE" });
  expect((await post(both, HELLO)).json.cached).toBe(false);
  expect((await post(both, { ...HELLO, cache: "refresh" })).json.cached).toBe(false);
  const [once] = await repeated(both, 3);
  expect(once?.json.cached).toBe(true);
  expect(both.emulator.meter.requests).toHaveLength(3);
});

test("nobody is given what others asked in the same bytes", async () => {
  const keys = ["a", "b"].map((name) => ({
    name,
    sha256: createHash("sha256").update(name).digest("hex"),
    tenant: name,
  }));
  await using both = await startBoth({ cache: { enabled: true }, auth: { keys } });
  const as = (name: string) => ({ authorization: `Bearer ${name}` });
  await repeated(both, 4, HELLO, as("a"));
  expect((await post(both, HELLO, as("b"))).json.cached).toBe(false);
  expect((await post(both, HELLO)).status).toBe(401);
  const [again, more] = await repeated(both, 2, HELLO, as("b"));
  expect([again?.json.cached, more?.json.cached]).toEqual([true, true]);
  expect(both.emulator.meter.requests).toHaveLength(2);
});

test.each<[string, Configuration, object]>([
  ["the rate limit", { rate_limit: { rpm: 5 } }, { status: 429 }],
  [
    "moderation",
    { moderation: { hooks: [{ name: "words", kind: "blocklist", words: ["answer"], on: ["reply"] }] } },
    { status: 400 },
  ],
])("%s is not passed by", async (_, config, expected) => {
  await using both = await startBoth({ cache: { enabled: true }, ...config });
  const replies = await repeated(both, 6);
  expect(replies.at(-1)).toMatchObject(expected);
});
