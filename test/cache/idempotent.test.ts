/** A call under its caller's key, through the whole gateway: it is made once, and answered as often as it is sent. */
import { createHash } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { CALLERS, type ChatInit } from "../support/callers.ts";
import { providersAt } from "../support/emulated.ts";
import { samplesOf } from "../support/exposition.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { gather } from "../support/gather.ts";
import { http1 } from "../support/http.ts";
import { hasPostgres, startPostgres } from "../support/postgres.ts";

let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth();
});
afterAll(() => both[Symbol.asyncDispose]());

function saying(content: string, more: ChatInit = {}): ChatInit {
  return { messages: [{ role: "user", content }], ...more };
}

/** A question that nobody else asks, found again at the provider by its mark. */
function question(directives = "") {
  const mark = crypto.randomUUID();
  const content = `[[emulate: mark=${mark} ${directives}]] What is a gateway?`;
  return { content, asked: () => both.emulator.meter.requests.filter((request) => request.mark === mark) };
}

interface Sent {
  readonly url?: string;
  readonly path?: "chat" | "stream" | "embeddings" | "dry-run";
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

async function post(body: object, { url = both.url, path = "chat", headers = {}, signal }: Sent = {}) {
  const all = { "content-type": "application/json", ...headers };
  const reply = await http1(`${url}/v1/gateway/${path}`, JSON.stringify(body), {
    headers: all,
    ...(signal ? { signal } : {}),
  });
  const json = JSON.parse(await reply.text());
  const kind = json.details?.[0]?.debug?.reason as string | undefined;
  return { status: reply.status, kind, json };
}

const keyed = (key: string = crypto.randomUUID()) => ({ "idempotency-key": key });

describe.each(CALLERS)("$name", (caller) => {
  test("gives the first answer again, whole and as a stream, for nothing", async () => {
    const { content, asked } = question();
    const options = { headers: keyed() };
    const first = await caller.at(both.url).chat(saying(content), options);
    const again = await caller.at(both.url).chat(saying(content), options);
    expect(again).toMatchObject({
      response: first.response,
      finishReason: first.finishReason,
      provider: "openai",
      model: "gpt-4o",
      cached: true,
      cacheKind: "idempotent",
      cache: { outcome: "hit", sourceRequestId: first.requestId },
      cost: { actualPicoUsd: 0n, savedPicoUsd: first.cost?.actualPicoUsd, inputTokens: 0 },
      attempts: [],
    });
    expect(first).toMatchObject({ cached: false, cacheKind: "" });
    expect(first.cost?.actualPicoUsd).toBeGreaterThan(0n);
    expect(again.cache?.storedAt).toBeDefined();
    const { gathered, error } = await gather(caller.at(both.url).stream(saying(content), options));
    expect(error).toBeUndefined();
    expect(gathered.map(({ token = "" }) => token).join("")).toBe(first.response);
    expect(gathered.at(-1)).toMatchObject({
      done: true,
      totalCostUsd: 0,
      receipt: { cacheKind: "idempotent", cost: { savedPicoUsd: first.cost?.actualPicoUsd } },
    });
    expect(asked()).toHaveLength(1);
  });

  test("says that another request was made under the key", async () => {
    const options = { headers: keyed() };
    await caller.at(both.url).chat(saying("One"), options);
    const failure = await caller
      .at(both.url)
      .chat(saying("Another"), options)
      .catch((error: unknown) => ConnectError.from(error));
    expect(failure).toMatchObject({ code: Code.AlreadyExists });
    // Nothing was spent, so there is nothing to account for.
    expect((failure as ConnectError).findDetails(ReceiptSchema)).toEqual([]);
  });
});

test("a stream is given again as it was, tool calls included, and as a whole", async () => {
  const { content, asked } = question();
  const headers = keyed();
  const tools = [
    { name: "look_up", parameters_json: '{"type":"object","properties":{"q":{"type":"string"}}}' },
  ];
  const body = { messages: [{ role: "user", content }], tools, tool_choice: "required" };
  const events = async () => {
    const all = { "content-type": "application/json", ...headers };
    const reply = await http1(`${both.url}/v1/gateway/stream`, JSON.stringify(body), { headers: all });
    const lines = (await reply.text()).split("\n").filter((line) => line.startsWith("data: "));
    return lines.map((line) => JSON.parse(line.slice(6)));
  };
  const said = (list: Awaited<ReturnType<typeof events>>) =>
    list.map(({ token, tool_call, done, finish_reason }) => ({ token, tool_call, done, finish_reason }));
  const first = await events();
  expect(first.some(({ tool_call }) => tool_call)).toBe(true);
  expect(said(await events())).toEqual(said(first));
  const { json } = await post(body, { headers });
  expect(json.tool_calls[0].name).toBe("look_up");
  expect(asked()).toHaveLength(1);
});

describe("the key", () => {
  test("is the field or the header, and both are one", async () => {
    const { content, asked } = question();
    const body = { messages: [{ role: "user", content }], idempotency_key: "the-field" };
    await post(body);
    expect((await post(body)).json.cache_kind).toBe("idempotent");
    expect((await post(body, { headers: keyed("the-field") })).json.cache_kind).toBe("idempotent");
    const { idempotency_key, ...bare } = body;
    expect((await post(bare, { headers: keyed("the-field") })).json.cache_kind).toBe("idempotent");
    expect(asked()).toHaveLength(1);
  });

  test.each([
    ["two that differ", "one", "other", "idempotency_key"],
    ["a header that is too long", "", "x".repeat(256), "idempotency-key"],
    ["a field that is too long", "x".repeat(256), "", "idempotency_key"],
  ])("is refused: %s", async (_, field, header, named) => {
    const body = { ...saying("Hello"), idempotency_key: field };
    const { status, kind, json } = await post(body, { headers: header ? keyed(header) : {} });
    expect({ status, kind }).toEqual({ status: 400, kind: "invalid_request" });
    expect(json.message).toContain(`${named}: `);
  });

  test("of 255 characters will do", async () => {
    expect((await post(saying("Hello"), { headers: keyed("x".repeat(255)) })).status).toBe(200);
  });

  test("stands for what is asked for, not for who pays, how long that may take, or in which pieces it comes", async () => {
    const { content, asked } = question();
    const headers = keyed();
    const body = { messages: [{ role: "user", content }], extra_body: { a: { x: 1, y: 2 } } };
    await post({ ...body, timeout_ms: 60_000, metadata: { try: "1" } }, { headers });
    const same = { ...body, extra_body: { a: { y: 2, x: 1 } }, metadata: { try: "2" } };
    expect((await post(same, { headers })).json.cache_kind).toBe("idempotent");
    expect(asked()).toHaveLength(1);
    for (const other of [
      { ...body, model: "openai/gpt-4o" },
      { ...body, parameters: { temperature: 0.5 } },
      { ...body, extra_body: { a: { x: 1 } } },
      { ...body, max_cost_usd: 1 },
    ]) {
      expect(await post(other, { headers })).toMatchObject({ status: 409, kind: "idempotency_conflict" });
    }
    expect(asked()).toHaveLength(1);
  });

  test("is each principal's own", async () => {
    const api = (name: string) => ({
      name,
      sha256: createHash("sha256").update(`key-${name}`).digest("hex"),
      tenant: "acme",
    });
    await using guarded = await startBoth({ auth: { keys: [api("alice"), api("bob")] } });
    const send = (who: string, content: string) =>
      post(saying(content), {
        url: guarded.url,
        headers: { ...keyed("mine"), "x-api-key": `key-${who}` },
      });
    const alice = await send("alice", "Hello");
    const bob = await send("bob", "Something else");
    expect(bob.json).toMatchObject({ cached: false });
    expect((await send("alice", "Hello")).json).toMatchObject({
      response: alice.json.response,
      cached: true,
    });
    expect((await send("bob", "Something else")).json.response).toBe(bob.json.response);
    expect(guarded.emulator.meter.requests).toHaveLength(2);
  });

  test("is nothing to a dry run and to embeddings", async () => {
    const headers = keyed();
    expect((await post(saying("Hello"), { path: "dry-run", headers })).status).toBe(200);
    const embed = { input: ["Hello"], model: "openai/text-embedding-3-small" };
    for (const _ of [1, 2])
      expect((await post(embed, { path: "embeddings", headers })).json).toMatchObject({ cached: false });
    expect((await post(saying("Something else"), { headers })).json).toMatchObject({ cached: false });
  });
});

test("many who send it at once are given one answer", async () => {
  const { content, asked } = question("first_token_ms=200");
  const headers = keyed();
  const replies = await Promise.all([1, 2, 3, 4, 5].map(() => post(saying(content), { headers })));
  expect(new Set(replies.map(({ json }) => json.response)).size).toBe(1);
  expect(replies.filter(({ json }) => json.cache_kind === "idempotent")).toHaveLength(4);
  expect(asked()).toHaveLength(1);
});

test("who waits for it waits no longer than wanted, and hears at once that it asks for something else", async () => {
  const { content, asked } = question("first_token_ms=2500");
  const headers = keyed();
  const first = post(saying(content), { headers });
  await expect.poll(() => asked().length).toBe(1);
  const late = await post({ ...saying(content), timeout_ms: 50 }, { headers });
  expect(late).toMatchObject({ status: 504, kind: "deadline_exceeded" });
  expect(await post(saying("Else"), { headers })).toMatchObject({ kind: "idempotency_conflict" });
  const waiting = post(saying(content), { headers });
  expect((await first).json.cached).toBe(false);
  expect((await waiting).json.cache_kind).toBe("idempotent");
  expect(asked()).toHaveLength(1);
});

describe("a call that failed", () => {
  test.each([
    ["the provider refused it", "status=429", "provider_rate_limited"],
    ["the provider failed before it took it up", "status=500", "provider_error"],
  ])("is made again, where it cost nothing: %s", async (_, directive, kind) => {
    const { content, asked } = question(directive);
    const headers = keyed();
    for (const times of [1, 2]) {
      expect((await post(saying(content), { headers })).kind).toBe(kind);
      expect(asked()).toHaveLength(times);
    }
    // Its key is free, for anything.
    expect((await post(saying("Hello"), { headers })).json.cached).toBe(false);
  });

  test("is made again where it never came to an attempt", async () => {
    const headers = keyed();
    expect((await post(saying("Hello", { model: "nobody" }), { headers })).kind).toBe("unknown_model");
    expect((await post(saying("Hello"), { headers })).json.cached).toBe(false);
  });

  test("fails again in the same way, where it may have been paid for", async () => {
    const { content, asked } = question("cut=2");
    const headers = keyed();
    const requestId = crypto.randomUUID();
    const first = await post(saying(content), { headers: { ...headers, "x-request-id": requestId } });
    expect(first.kind).toBe("cut");
    const again = await post(saying(content), { headers });
    expect(again).toMatchObject({ status: first.status, kind: "cut" });
    expect(again.json.message).toContain(first.json.message);
    expect(again.json.message).toContain(requestId);
    expect(again.json.message).toContain("use another key");
    // A client that does as it is told would try in vain.
    expect(JSON.stringify(again.json.details)).not.toContain("RetryInfo");
    expect(asked()).toHaveLength(1);
  });

  test("fails the waiting with it", async () => {
    const { content, asked } = question("cut=2 first_token_ms=200");
    const headers = keyed();
    const [first, second] = await Promise.all([1, 2].map(() => post(saying(content), { headers })));
    expect([first?.kind, second?.kind]).toEqual(["cut", "cut"]);
    expect(asked()).toHaveLength(1);
  });

  test("lets one of the waiting make it, where it cost nothing", async () => {
    const { content, asked } = question("status=429 delay_ms=200");
    const headers = keyed();
    const both = await Promise.all([1, 2].map(() => post(saying(content), { headers })));
    expect(both.map(({ kind }) => kind)).toEqual(["provider_rate_limited", "provider_rate_limited"]);
    expect(asked()).toHaveLength(2);
  });
});

describe("a call that was broken off", () => {
  const unknown = (requestId: string) => ({
    status: 409,
    kind: "outcome_unknown",
    json: { code: "aborted", message: expect.stringContaining(requestId) },
  });

  test("by its caller's deadline is not made again", async () => {
    const { content, asked } = question("hang=1");
    const headers = { ...keyed(), "x-request-id": crypto.randomUUID() };
    const first = await post({ ...saying(content), timeout_ms: 200 }, { headers });
    expect(first.kind).toBe("deadline_exceeded");
    expect(await post(saying(content), { headers })).toMatchObject(unknown(headers["x-request-id"]));
    expect(asked()).toHaveLength(1);
  });

  test("by a caller that left in the middle of a stream is not made again", async () => {
    const { content, asked } = question("interval_ms=50 tokens=200");
    const headers = { ...keyed(), "x-request-id": crypto.randomUUID() };
    const leaving = new AbortController();
    const reply = await http1(`${both.url}/v1/gateway/stream`, JSON.stringify(saying(content)), {
      headers: { "content-type": "application/json", ...headers },
      signal: leaving.signal,
    });
    for await (const _ of reply.pieces) break;
    leaving.abort();
    await both.log.about(headers["x-request-id"]);
    expect(await post(saying(content), { headers: keyed(headers["idempotency-key"]) })).toMatchObject(
      unknown(headers["x-request-id"]),
    );
    expect(asked()).toHaveLength(1);
  });
});

test("what is sensitive is made once, and its answer is not kept", async () => {
  const { content, asked } = question();
  const headers = keyed();
  const body = saying(content, { sensitive: true });
  expect((await post(body, { headers })).status).toBe(200);
  const again = await post(body, { headers });
  expect(again).toMatchObject({ status: 409, kind: "outcome_unknown" });
  expect(again.json.message).toContain("is not kept: it is sensitive");
  expect(asked()).toHaveLength(1);
});

test("the key goes before the cache, and is counted beside it", async () => {
  await using caching = await startBoth({ cache: { enabled: true } });
  const send = (headers = {}, more: object = {}) =>
    post({ ...saying("Hello"), ...more }, { url: caching.url, headers });
  const kinds: string[] = [];
  const first = await send(keyed("k"));
  for (const headers of [keyed("k"), {}, keyed("new"), keyed("new")])
    kinds.push((await send(headers)).json.cache_kind);
  expect(kinds).toEqual(["idempotent", "exact", "exact", "idempotent"]);
  // The first call under the new key was answered from the cache: what it was given had cost another.
  const { json } = await send(keyed("new"));
  expect(json.cost).toMatchObject({ actual_usd: 0, saved_usd: first.json.cost.actual_usd });
  expect(json.response).toBe(first.json.response);
  const metrics = await (await fetch(`${caching.url}/v1/gateway/metrics`)).text();
  expect(samplesOf(metrics, "llm_cache_hit_total")).toMatchObject({
    'kind="idempotent",model="gpt-4o",provider="openai"': 3,
  });
  expect(caching.emulator.meter.requests).toHaveLength(1);
});

test("replicas on one database give one answer, though the second asks while the first is at it", async () => {
  if (!hasPostgres("idempotency keys of replicas")) return;
  const postgres = await startPostgres();
  try {
    const env = { DATABASE_URL: await postgres.createDatabase() };
    await using one = await startBoth({}, { env });
    await using other = await startBoth({ providers: providersAt(one.emulator.url) }, { env });
    const body = saying("[[emulate: first_token_ms=500]] Hello");
    const headers = keyed();
    const first = post(body, { url: one.url, headers });
    await expect.poll(() => one.emulator.meter.requests.length).toBe(1);
    const second = await post(body, { url: other.url, headers });
    expect(second.json).toMatchObject({
      response: (await first).json.response,
      cache_kind: "idempotent",
      cache: { source_request_id: (await first).json.request_id },
    });
    expect(one.emulator.meter.requests).toHaveLength(1);
  } finally {
    await postgres.stop();
  }
});
