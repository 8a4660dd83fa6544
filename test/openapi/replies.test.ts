/** What a running gateway answers, well or ill, held against what the OpenAPI document promises. */
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Registry } from "prom-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LEAST_UNDER_WAY as UNDER_WAY } from "../../src/cost/answer.ts";
import { createSend } from "../../src/rpc/compression.ts";
import { createOperations } from "../../src/rpc/operations.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { DOCUMENT } from "../support/openapi.ts";
import { check, type Exchange, exchange, expectFailure } from "./exchange.ts";

const CHAT = "/v1/gateway/chat";
const STREAM = "/v1/gateway/stream";
const EMBED = "/v1/gateway/embeddings";
const CONNECT = "/llmgateway.v1.GatewayService";
const ADMIN = "/llmgateway.v1.AdminService";
/** Of who may call, and operate nothing. */
const KEY = randomUUID();
/** How often an address may call a model, once that is limited. */
const LIMIT = { rpm: 1 };

let open: GatewayUnderTest;
let locked: GatewayUnderTest;
let limited: GatewayUnderTest;
beforeAll(async () => {
  const closed = { kind: "mock", enabled: false };
  open = await startBoth({ server: { max_body_bytes: 4096 }, providers: { closed } });
  const sha256 = createHash("sha256").update(KEY).digest("hex");
  const keys = [{ name: "team", sha256, scopes: ["call"] }];
  locked = await startBoth({ auth: { keys }, server: { host: "127.0.0.1" } });
  limited = await startBoth({ rate_limit: LIMIT });
});
afterAll(() => Promise.all([open, locked, limited].map((one) => one[Symbol.asyncDispose]())));

function ask(content: string, more: object = {}): object {
  return { messages: [{ role: "user", content }], model: "openai/gpt-4o", ...more };
}

function embed(text: string, more: object = {}): object {
  return { input: [text], model: "openai", ...more };
}

const TOOLS = { tools: [{ name: "get_weather", parameters: { type: "object" } }] };

describe("an answer is what it promises", () => {
  test.each([
    ["a text", ask("Hello")],
    ["a tool call", ask("Please call get_weather", TOOLS)],
    ["several answers", ask("Hello", { parameters: { choices: 2 } })],
    ["thoughts", ask("Hello", { model: "openai/o3", parameters: { reasoning_effort: "high" } })],
    ["no price", ask("Hello", { model: "openai/no-price-is-known" })],
    ["the mock", ask("Hello", { model: "mock" })],
  ])("with %s: whole, streamed, and over Connect", async (_, body) => {
    const whole = await exchange(open.url, CHAT, { body });
    expect(whole.json).toMatchObject({ cost: { total_tokens: expect.any(Number) } });
    const { events } = await exchange(open.url, STREAM, { body });
    expect(events?.length).toBeGreaterThan(1);
    expect(events?.at(-1)).toMatchObject({ done: true });
    expect((await exchange(open.url, CHAT, { body: { ...body, stream: true } })).events).toHaveLength(
      events?.length ?? 0,
    );
    const connect = await exchange(open.url, `${CONNECT}/Chat`, { body });
    expect(Object.keys(connect.json).sort()).toEqual(Object.keys(whole.json).sort());
  });

  test.each([
    ["vectors", { input: ["Hello", "world"], model: "openai" }],
    ["short vectors", { input: ["Hello"], model: "mock", dimensions: 2, input_type: "query" }],
    ["no price", { input: ["Hello"], model: "openai/no-price-is-known" }],
  ])("with %s: over REST, and over Connect", async (_, body) => {
    const rest = await exchange(open.url, EMBED, { body });
    expect(rest.json.embeddings).toHaveLength(body.input.length);
    const connect = await exchange(open.url, `${CONNECT}/Embed`, { body });
    expect(connect.json.embeddings).toEqual(rest.json.embeddings);
    expect(Object.keys(connect.json).sort()).toEqual(Object.keys(rest.json).sort());
  });

  test("with the state of the limit", async () => {
    await using fresh = await startBoth({ rate_limit: { rpm: 10 } });
    expect((await exchange(fresh.url, CHAT, { body: ask("Hello") })).status).toBe(200);
    expect((await exchange(fresh.url, STREAM, { body: ask("Hello") })).status).toBe(200);
  });

  test.each([
    ["/v1/gateway/models"],
    ["/v1/gateway/models?provider=mock"],
    ["/v1/gateway/status"],
    ["/v1/gateway/health"],
    ["/v1/gateway/health/ready"],
    ["/v1/gateway/metrics"],
    ["/openapi.json"],
    [`${CONNECT}/ListModels?connect=v1&encoding=json&message=%7B%22provider%22%3A%22mock%22%7D`],
    [`${CONNECT}/ListModels?encoding=json&base64=1&message=e30`],
    [`${CONNECT}/GetStatus?encoding=json&message=%7B%7D`],
  ])("GET %s", async (path) => {
    expect((await exchange(open.url, path, { verb: "GET" })).status).toBe(200);
  });

  test("of a comparison", async () => {
    const compare = (models: string[]) =>
      exchange(open.url, "/v1/gateway/compare", {
        body: { request: { messages: [{ role: "user", content: "Hello" }] }, models },
      });
    const { events } = await compare(["openai/gpt-4o", "nobody/knows"]);
    expect(events?.at(-1)).toMatchObject({ totals: { served: 1, failed: 1 } });
    expect((await compare(["openai", "openai"])).status).toBe(400);
    expect((await compare(["nobody/knows", "nobody/either"])).status).toBe(404);
  });

  test("of the cache, to operators", async () => {
    await using fresh = await startBoth({ cache: { enabled: true } });
    const requests = [ask("Hello"), ask("[[emulate: status=500]] Hello")];
    const { events } = await exchange(fresh.url, "/v1/gateway/cache/warm", { body: { requests } });
    expect(events).toHaveLength(3);
    for (const path of ["/v1/gateway/cache/stats", `${ADMIN}/GetCacheStats?encoding=json&message=%7B%7D`])
      expect((await exchange(fresh.url, path, { verb: "GET" })).json).toMatchObject({ entries: 1 });
    const cleared = await exchange(fresh.url, "/v1/gateway/cache?all=true", { verb: "DELETE" });
    expect(cleared.json).toMatchObject({ cleared: "1" });
    expect((await exchange(fresh.url, `${ADMIN}/ClearCache`, { body: { all: true } })).status).toBe(200);
    expect((await exchange(fresh.url, `${ADMIN}/ClearCache`, { body: {} })).status).toBe(400);
    expect((await exchange(fresh.url, "/v1/gateway/cache/warm", { body: {} })).status).toBe(400);
  });

  test("of experiments, to operators and to callers", async () => {
    const variants = [{ model: "openai/gpt-4o" }, { model: "claude/claude-sonnet-5" }];
    const shadows = [{ name: "copy", model: "openai/gpt-4o-mini" }];
    await using fresh = await startBoth({ experiments: { trial: { variants, shadows } } });
    const { json } = await exchange(fresh.url, "/v1/gateway/chat", { body: { ...ask("Hello"), model: "" } });
    const told = json as { request_id: string; experiment: { name: string } };
    expect(told.experiment.name).toBe("trial");
    const feedback = { request_id: told.request_id, thumbs: "up" };
    for (const path of ["/v1/gateway/feedback", `${CONNECT}/RecordFeedback`])
      expect((await exchange(fresh.url, path, { body: feedback })).status).toBe(200);
    for (const path of ["/v1/gateway/experiments", `${ADMIN}/GetExperiments?encoding=json&message=%7B%7D`])
      expect((await exchange(fresh.url, path, { verb: "GET" })).status).toBe(200);
    const act = (rpc: string, body: object) =>
      exchange(fresh.url, `${ADMIN}/${rpc}`, { body: { experiment: "trial", ...body } });
    const promoted = await act("PromoteVariant", { variant: "openai/gpt-4o" });
    expect(promoted.json).toMatchObject({ state: "decided" });
    expect((await act("StopExperiment", {})).json).toMatchObject({ state: "stopped" });
    expect((await act("PromoteVariant", { variant: "x" })).status).toBe(404);
    expect((await exchange(fresh.url, "/v1/gateway/feedback", { body: {} })).status).toBe(400);
  });

  test.each([[`${CONNECT}/ListModels`], [`${CONNECT}/GetStatus`]])("POST %s", async (path) => {
    expect((await exchange(open.url, path, { body: {} })).status).toBe(200);
  });
});

describe("a failure is what it promises", () => {
  const text = { "content-type": "text/plain" };
  const hurry = { "connect-timeout-ms": "30" };
  const slow = ask("[[emulate: delay_ms=10000]] Hello");
  const limitedProvider = ask("[[emulate: status=429 retry_after=2]] Hello");
  test.each<[string, string, Exchange]>([
    ["invalid_request", CHAT, { body: { messages: [], modle: "x" } }],
    ["invalid_request", STREAM, { body: ask("Hello", { parameters: { temperature: 3 } }) }],
    ["invalid_request", "/v1/gateway/models?vendor=x", { verb: "GET" }],
    ["invalid_request", "/v1/gateway/status", { verb: "GET", headers: { "connect-timeout-ms": "soon" } }],
    ["invalid_request", `${CONNECT}/Chat`, { body: ask("Hello", { stream: true }) }],
    ["invalid_request", `${CONNECT}/GetStatus?encoding=json`, { verb: "GET" }],
    ["unknown_model", CHAT, { body: ask("Hello", { model: "nobody/knows" }) }],
    ["unknown_model", `${CONNECT}/Chat`, { body: ask("Hello", { model: "nobody/knows" }) }],
    ["unsupported_media_type", CHAT, { body: ask("Hello"), headers: text }],
    ["unsupported_media_type", STREAM, { body: ask("Hello"), headers: text }],
    ["payload_too_large", CHAT, { body: ask("x".repeat(5000)) }],
    ["payload_too_large", STREAM, { body: ask("x".repeat(5000)) }],
    ["payload_too_large", `${CONNECT}/Chat`, { body: ask("x".repeat(5000)) }],
    ["budget_exceeded", CHAT, { body: ask("Hello", { max_cost_usd: 1e-9 }) }],
    ["deadline_exceeded", CHAT, { body: slow, headers: hurry }],
    ["deadline_exceeded", STREAM, { body: slow, headers: hurry }],
    ["deadline_exceeded", CHAT, { body: { ...slow, timeout_ms: 30 } }],
    ["deadline_exceeded", `${CONNECT}/Chat`, { body: slow, headers: hurry }],
    ["provider_bad_request", CHAT, { body: ask("[[emulate: status=400]] Hello") }],
    ["provider_auth", CHAT, { body: ask("[[emulate: status=401]] Hello") }],
    ["provider_auth", `${CONNECT}/Chat`, { body: ask("[[emulate: status=401]] Hello") }],
    ["model_not_found", CHAT, { body: ask("[[emulate: status=404]] Hello") }],
    ["provider_rate_limited", CHAT, { body: limitedProvider }],
    ["provider_rate_limited", STREAM, { body: limitedProvider }],
    ["provider_rate_limited", `${CONNECT}/Chat`, { body: limitedProvider }],
    ["provider_error", CHAT, { body: ask("[[emulate: status=500]] Hello") }],
    ["provider_overloaded", STREAM, { body: ask("[[emulate: status=503]] Hello") }],
    ["provider_overloaded", `${CONNECT}/Chat`, { body: ask("[[emulate: status=503]] Hello") }],
    ["provider_unavailable", CHAT, { body: ask("Hello", { model: "closed" }) }],
    ["cut", CHAT, { body: ask("[[emulate: reset=1]] Hello") }],
    ["invalid_request", EMBED, { body: { input: "Hello" } }],
    ["unknown_model", EMBED, { body: embed("Hello", { model: "nobody/knows" }) }],
    ["budget_exceeded", EMBED, { body: embed("Hello", { max_cost_usd: 1e-9 }) }],
    ["provider_rate_limited", EMBED, { body: embed("[[emulate: status=429 retry_after=2]] Hello") }],
    ["provider_rate_limited", `${CONNECT}/Embed`, { body: embed("[[emulate: status=429]] Hello") }],
    ["malformed_reply", CHAT, { body: ask("[[emulate: malformed=1]] Hello") }],
    ["not_found", "/v1/gateway/experiments?name=nobody", { verb: "GET" }],
    ["not_found", `${ADMIN}/GetExperiments`, { body: { name: "nobody" } }],
    ["not_found", `${ADMIN}/GetRequest`, { body: { id: "nobody" } }],
  ])("%s at %s", async (kind, path, request) => {
    await expectFailure(open.url, kind, path, request);
  });

  test.each(
    [
      CHAT,
      STREAM,
      EMBED,
      `${CONNECT}/Chat`,
      `${CONNECT}/Embed`,
      `${CONNECT}/ListModels`,
      `${CONNECT}/GetStatus`,
    ].map((path) => [path]),
  )("unauthenticated at POST %s", async (path) => {
    await expectFailure(locked.url, "unauthenticated", path, { body: ask("Hello") });
  });

  test.each([["/v1/gateway/models"], ["/v1/gateway/status"]])("unauthenticated at GET %s", async (path) => {
    await expectFailure(locked.url, "unauthenticated", path, { verb: "GET" });
  });

  test.each([
    ["/v1/gateway/usage", { verb: "GET" }],
    ["/v1/gateway/circuits", { verb: "GET" }],
    [`${ADMIN}/GetUsage`, { body: {} }],
  ])("permission_denied at %s", async (path, request) => {
    const headers = { authorization: `Bearer ${KEY}` };
    await expectFailure(locked.url, "permission_denied", path, { ...request, headers });
  });

  test("rate_limited at every way to a model", async () => {
    await exchange(limited.url, CHAT, { body: ask("Hello") });
    for (const path of [CHAT, STREAM, `${CONNECT}/Chat`]) {
      await expectFailure(limited.url, "rate_limited", path, { body: ask("Hello") });
    }
    for (const path of [EMBED, `${CONNECT}/Embed`]) {
      await expectFailure(limited.url, "rate_limited", path, { body: embed("Hello") });
    }
  });

  test("method_not_allowed at every REST path", async () => {
    for (const [path, verbs] of Object.entries(DOCUMENT.paths)) {
      const [verb = ""] = Object.keys(verbs);
      if (!path.startsWith("/v1/gateway/") || verbs[verb]?.tags[0] === "Operations") continue;
      const reply = await fetch(open.url + path.replace(/\{\w+\}/, randomUUID()), { method: "PATCH" });
      expect(reply.status).toBe(405);
      const allowed = Object.keys(verbs).map((name) => name.toUpperCase());
      expect(reply.headers.get("allow")?.split(", ").sort()).toEqual(allowed.sort());
      await check(reply, verb, path);
    }
  });

  test("within a stream, with what it cost and when to try again", async () => {
    const { status, events } = await exchange(open.url, STREAM, { body: ask("[[emulate: cut=2]] Hello") });
    expect(status).toBe(200);
    expect(events).toHaveLength(3);
    expect(events?.at(-1)).toMatchObject({
      error: {
        kind: "cut",
        receipt: { cost: { output_tokens: expect.toSatisfy((tokens) => tokens >= 2 + UNDER_WAY) } },
      },
    });
  });

  test("not ready, while it shuts down", async () => {
    const operations = createOperations({
      registry: new Registry(),
      notReady: () => "shutting down",
      send: createSend(0),
      refuse: (_request, _reply, error) => {
        throw error;
      },
    });
    const server = createServer(
      (request, reply) => void operations.handle(request, request.url ?? "", reply),
    ).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const { status, json } = await exchange(`http://127.0.0.1:${port}`, "/v1/gateway/health/ready", {
      verb: "GET",
    });
    expect({ status, json }).toEqual({ status: 503, json: { status: "not ready", reason: "shutting down" } });
    server.close();
  });
});
