/** The exact cache through the whole gateway: over every protocol, for whom, and what it leaves alone. */
import { ConnectError } from "@connectrpc/connect";
import { describe, expect, it, test } from "vitest";
import { CALLERS, type ChatInit, type Conversation } from "../support/callers.ts";
import { samplesOf } from "../support/exposition.ts";
import { startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";

const CACHE = { cache: { enabled: true, max_entries: 50 } };
const user = (content: string) => ({ role: "user", content });

const REQUEST: ChatInit = {
  model: "openai/gpt-4o",
  messages: [{ role: "system", content: "Be brief." }, user("Où est le café ?\nDis-le.")],
  parameters: { temperature: 0, maxTokens: 300, seed: 7n },
  tools: [{ name: "look", parameters: { type: "object", properties: { b: { minimum: 1 }, a: {} } } }],
  toolChoice: "none",
  extraBody: { logit_bias: { "50256": -100 } },
};
/** The same in other words. */
const RESPELLED: ChatInit = {
  ...REQUEST,
  model: "openai",
  modelVersion: "gpt-4o",
  messages: [
    { role: "system", parts: [{ part: { case: "text", value: "Be brief.\n" } }], cache: { ttl: "1h" } },
    user("\r\nOu\u0300 est le cafe\u0301 ?\r\nDis-le. "),
  ],
  tools: [
    { name: "look", parametersJson: '{"properties": {"a": {}, "b": {"minimum": 1.0}}, "type": "object"}' },
  ],
  metadata: { team: "x" },
  maxCostUsd: 1,
};
/** As somebody types it, in camel case and with its keys in another order. */
const TYPED = `{"extraBody": {"logit_bias": {"50256": -1e2}}, "toolChoice": "none",
  "tools": [{"parametersJson": "{\\"type\\":\\"object\\",\\"properties\\":{\\"b\\":{\\"minimum\\":1},\\"a\\":{}}}", "name": "look"}],
  "parameters": {"seed": "7", "maxTokens": 300.0, "temperature": 0.0}, "model": "openai/gpt-4o",
  "messages": [{"content": "Be brief.", "role": "system"}, {"content": "O\\u00f9 est le caf\\u00e9 ?\\nDis-le.", "role": "user"}]}`;

async function streamed(conversation: Conversation, request: ChatInit) {
  let text = "";
  for await (const event of conversation.stream(request)) {
    text += event.token ?? "";
    if (event.done) return { text, receipt: event.receipt };
  }
  throw new Error("no end");
}

test.each(CALLERS)("what $name had answered is there for all others, in every spelling", async (caller) => {
  await using both = await startBoth(CACHE);
  const first = await caller.at(both.url).chat(REQUEST);
  expect([first.cached, first.cache?.outcome]).toEqual([false, "miss"]);
  for (const other of CALLERS) {
    const again = await other.at(both.url).chat(RESPELLED);
    expect([again.response, again.cacheKind], other.name).toEqual([first.response, "exact"]);
    const { text, receipt } = await streamed(other.at(both.url), REQUEST);
    expect([text, receipt?.cacheKind], other.name).toEqual([first.response, "exact"]);
  }
  const typed = JSON.parse(await (await http1(`${both.url}/v1/gateway/chat`, TYPED)).text());
  expect([typed.response, typed.cache_kind]).toEqual([first.response, "exact"]);
  expect(both.emulator.meter.requests).toHaveLength(1);
});

test("what was streamed comes whole, and the same, to who asks for it at once", async () => {
  await using both = await startBoth(CACHE);
  for (const [index, caller] of CALLERS.entries()) {
    const request = { ...REQUEST, messages: [user(`Question ${index} [[emulate: tokens=120]]`)] };
    const first = await streamed(caller.at(both.url), request);
    expect(first.text.length).toBeGreaterThan(100);
    expect((await caller.at(both.url).chat(request)).response).toBe(first.text);
    expect(await streamed(caller.at(both.url), request)).toMatchObject({
      text: first.text,
      receipt: {
        cached: true,
        cost: { actualPicoUsd: 0n, savedPicoUsd: first.receipt?.cost?.actualPicoUsd },
      },
    });
  }
});

describe("a name that cannot be resolved", () => {
  const bad: ChatInit[] = [
    { model: "nobody/x" },
    { model: "nothing" },
    { model: "nobody", modelVersion: "x" },
    { modelVersion: "gpt-4o" },
    { model: "fast", modelVersion: "x" },
    { model: "openai/gpt-4o", routingPolicy: "low_cost" },
    { routingPolicy: "unknown" },
    { taskType: "unknown" },
    { model: "openai/gpt-4o", fallbackChain: "unknown" },
    { model: "openai/unlisted" },
  ];

  it("is refused in the very words that are said without a cache, even where only the cache is wanted", async () => {
    const config = {
      providers: { openai: { models: ["gpt-4o"] } },
      aliases: { fast: { targets: [{ target: "openai/gpt-4o" }] } },
    };
    const at = (url: string) => ({
      providers: { openai: { ...config.providers.openai, base_url: `${url}/v1` } },
      aliases: config.aliases,
    });
    await using without = await startBoth(at);
    await using withCache = await startBoth((url) => ({ ...at(url), ...CACHE }));
    const told = async (url: string, request: ChatInit) => {
      const [{ at }] = CALLERS as [(typeof CALLERS)[number]];
      const error = await at(url)
        .chat({ messages: [user("Hello")], ...request })
        .then(() => undefined, ConnectError.from);
      return [error?.code, error?.rawMessage];
    };
    for (const request of bad) {
      const expected = await told(without.url, request);
      expect(expected[1], JSON.stringify(request)).toBeTypeOf("string");
      expect(await told(withCache.url, request)).toEqual(expected);
      expect(await told(withCache.url, { ...request, cache: "only" })).toEqual(expected);
      expect(await told(without.url, { ...request, cache: "only" })).toEqual(expected);
    }
  });
});

test("who is given an answer hears what the model did not get, as its payer does", async () => {
  await using both = await startBoth((url) => ({
    ...CACHE,
    providers: { openai: { base_url: `${url}/v1`, unsupported: "drop" } },
  }));
  const body = { messages: [user("Hello")], model: "openai/o3-mini", parameters: { top_k: 3 } };
  const [{ at }] = CALLERS as [(typeof CALLERS)[number]];
  const post = async (headers = {}) => {
    const all = { "content-type": "application/json", ...headers };
    const reply = await http1(`${both.url}/v1/gateway/chat`, JSON.stringify(body), { headers: all });
    const { cache_kind, dropped } = JSON.parse(await reply.text());
    return { cache_kind, dropped };
  };
  const dropped = ["parameters.top_k"];
  expect(await post()).toEqual({ cache_kind: "", dropped });
  // The last in the same bytes as one that the cache answered.
  for (let turn = 0; turn < 4; turn++) expect(await post()).toEqual({ cache_kind: "exact", dropped });
  const { receipt } = await streamed(at(both.url), { ...body, parameters: { topK: 3 } });
  expect(receipt).toMatchObject({ cacheKind: "exact", dropped });
  const key = { "idempotency-key": "once" };
  await post(key);
  expect(await post(key)).toEqual({ cache_kind: "idempotent", dropped });
  expect(both.emulator.meter.requests).toHaveLength(1);
});

test("what another answered in a model's place is given to nobody who asks for that model", async () => {
  await using both = await startBoth({
    ...CACHE,
    fallback_chains: { default: ["claude/claude-sonnet-5"] },
    aliases: { smart: { targets: [{ target: "openai/gpt-4o" }, { target: "claude/claude-sonnet-5" }] } },
    task_types: { songs: "openai/gpt-4o" },
    routing_policies: { near: { prefer: ["openai/gpt-4o"] } },
    // Nobody listens there.
    providers: { openai: { base_url: "http://127.0.0.1:1/v1" } },
  });
  const [{ at }] = CALLERS as [(typeof CALLERS)[number]];
  const chat = (request: ChatInit) => at(both.url).chat({ messages: [user("Hello")], ...request });
  const asked: [family: string, ChatInit][] = [
    ["openai/gpt-4o", { model: "openai/gpt-4o" }],
    ["task_type songs", { taskType: "songs" }],
    ["routing_policy near", { routingPolicy: "near" }],
  ];
  for (const [family, request] of asked) {
    for (let turn = 0; turn < 2; turn++)
      expect(await chat(request)).toMatchObject({
        model: "claude-sonnet-5",
        cached: false,
        cache: { reason: `not kept: claude/claude-sonnet-5 answered in place of ${family}` },
      });
    await expect(chat({ ...request, fallbackChain: "none" }), family).rejects.toThrow(ConnectError);
  }
  // Of an alias each target is one that was asked for.
  await chat({ model: "smart" });
  expect(await chat({ model: "smart" })).toMatchObject({ model: "claude-sonnet-5", cached: true });
});

test("no provider is called for who wants the cache alone, also where there is none", async () => {
  await using both = await startBoth();
  for (const { at } of CALLERS) {
    const refused = at(both.url).chat({ messages: [user("Hello")], cache: "only" });
    expect(await refused.then(() => undefined, ConnectError.from)).toMatchObject({
      rawMessage: expect.stringContaining("only an answer of the cache was wanted, and it is off"),
    });
  }
  expect(both.emulator.meter.requests).toHaveLength(0);
});

describe("is asked for again", () => {
  const CASES: [string, string, ChatInit][] = [
    ["miss", "not kept: it ended with length", { parameters: { maxTokens: 3 } }],
    ["skipped", "its temperature is above 1", { parameters: { temperature: 1.5 } }],
    [
      "skipped",
      "it has a tool with effects",
      { tools: [{ name: "buy", hasEffects: true }], toolChoice: "none" },
    ],
    ["skipped", "the request is sensitive", { sensitive: true }],
    ["skipped", "the request wants none", { cache: "bypass" }],
    ["skipped", "it holds what looks like a secret", { messages: [user("password: hunter22, is it good?")] }],
    ["skipped", "it matches one of sensitive_patterns", { messages: [user("Who is Bluebird?")] }],
    ["skipped", "it is off for openai/gpt-4o-mini", { model: "openai/gpt-4o-mini" }],
    [
      "miss",
      "not kept: it is larger than 1024 bytes",
      { messages: [user("Tell me all [[emulate: tokens=400]]")] },
    ],
  ];

  it.each(CASES)("a %s: %s", async (outcome, reason, request) => {
    await using both = await startBoth({
      cache: {
        ...{ enabled: true, max_entry_bytes: 1_024, sensitive_patterns: ["(?i)bluebird"] },
        families: { "openai/gpt-4o-mini": { enabled: false } },
      },
    });
    for (const caller of CALLERS.slice(0, 1)) {
      for (let turn = 0; turn < 2; turn++) {
        const reply = await caller.at(both.url).chat({ messages: [user("Hello")], ...request });
        expect([reply.cached, reply.cache?.outcome, reply.cache?.reason]).toEqual([false, outcome, reason]);
      }
      const { receipt } = await streamed(caller.at(both.url), { messages: [user("Hello")], ...request });
      expect([receipt?.cached, receipt?.cache?.reason]).toEqual([false, reason]);
    }
    expect(both.emulator.meter.requests).toHaveLength(3);
  });

  it("what failed, and a stream that was cut", async () => {
    await using both = await startBoth(CACHE);
    const caller = CALLERS[0] as (typeof CALLERS)[number];
    for (const text of ["Hello [[emulate: status=500]]", "Hello [[emulate: cut=3]]"]) {
      for (let turn = 0; turn < 2; turn++) {
        await streamed(caller.at(both.url), { messages: [user(text)] }).catch(() => {});
      }
    }
    expect(both.emulator.meter.requests).toHaveLength(4);
    const metrics = await (await fetch(`${both.url}/v1/gateway/metrics`)).text();
    expect(samplesOf(metrics, "llm_cache_entries")).toEqual({ "": 0 });
  });
});

test("a dry run tells what would come of it, and asks nobody", async () => {
  await using both = await startBoth(CACHE);
  for (const caller of CALLERS) {
    const conversation = caller.at(both.url);
    const request = { messages: [user(`Hello over ${caller.name}`)] };
    expect((await conversation.dryRun(request)).cache).toMatchObject({ outcome: "miss" });
    const { requestId } = await conversation.chat(request);
    expect((await conversation.dryRun(request)).cache).toMatchObject({
      outcome: "hit",
      sourceRequestId: requestId,
    });
    expect((await conversation.dryRun({ ...request, cache: "refresh" })).cache?.outcome).toBe("miss");
    expect((await conversation.dryRun({ ...request, sensitive: true })).cache).toMatchObject({
      outcome: "skipped",
      reason: "the request is sensitive",
    });
  }
  expect(both.emulator.meter.requests).toHaveLength(CALLERS.length);
  await using off = await startBoth();
  const [caller] = CALLERS as [(typeof CALLERS)[number]];
  expect((await caller.at(off.url).dryRun({ messages: [user("Hello")] })).cache).toBeUndefined();
});

test("metrics tell how much is held, and what went", async () => {
  await using both = await startBoth({ cache: { enabled: true, max_entries: 2 } });
  const caller = CALLERS[0] as (typeof CALLERS)[number];
  for (const text of ["a", "b", "c"]) await caller.at(both.url).chat({ messages: [user(text)] });
  const metrics = await (await fetch(`${both.url}/v1/gateway/metrics`)).text();
  expect(samplesOf(metrics, "llm_cache_entries")).toEqual({ "": 2 });
  expect(samplesOf(metrics, "llm_cache_bytes")[""]).toBeGreaterThan(1_000);
  expect(samplesOf(metrics, "llm_cache_evictions_total")).toEqual({ 'reason="entries"': 1 });
});
