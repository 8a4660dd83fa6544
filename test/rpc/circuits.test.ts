/** Circuits from outside: who may see and set them, on every protocol, and what becomes of a provider that fails. */
import { createHash } from "node:crypto";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/ts/google/rpc/error_details_pb.ts";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { VirtualClock } from "../support/clock.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const HELLO = { messages: [{ role: "user", content: "Hello" }], model: "openai/gpt-4o" };
const FAILING = { ...HELLO, messages: [{ role: "user", content: "[[emulate: status=500]] Hello" }] };
const WRONG = { ...HELLO, messages: [{ role: "user", content: "[[emulate: status=400]] Hello" }] };
const BREAKER = { retries: { max: 0 }, circuit_breaker: { min_calls: 4, open_for: "30s" } };

const WAYS: readonly [string, (baseUrl: string) => Transport][] = [
  [
    "Connect in JSON",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  ],
  [
    "Connect below /v1/gateway",
    (url) => createConnectTransport({ baseUrl: `${url}/v1/gateway`, httpVersion: "2" }),
  ],
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["gRPC-Web", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
];

async function ask(url: string, path: string, body?: object, key = "", method = body ? "POST" : "GET") {
  const headers = { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };
  const reply = await fetch(`${url}/v1/gateway${path}`, {
    method,
    headers,
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: reply.status, headers: reply.headers, json: JSON.parse(await reply.text()) };
}

const put = (url: string, provider: string, body: object, key = "") =>
  ask(url, `/providers/${provider}/circuit`, body, key, "PUT");

async function metric(url: string, line: RegExp): Promise<string | undefined> {
  const reply = await fetch(`${url}/v1/gateway/metrics`);
  return line.exec(await reply.text())?.[0];
}

describe("with API keys", () => {
  let both: GatewayUnderTest;
  beforeAll(async () => {
    const keys = [
      { name: "team", sha256: sha256("caller") },
      { name: "operator", sha256: sha256("operator"), scopes: ["admin"] },
      { name: "lead", sha256: sha256("lead"), scopes: ["call", "admin"] },
    ];
    both = await startBoth(
      { auth: { keys }, server: { host: "127.0.0.1" } },
      { env: { LLMGATEWAY_API_KEYS: "environment=from-the-environment" } },
    );
  });
  afterAll(() => both[Symbol.asyncDispose]());

  describe.each(WAYS)("over %s", (_, transportTo) => {
    const admin = () => createClient(AdminService, transportTo(both.url));
    const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });

    test.each(["operator", "lead"])("the key of the %s may", async (key) => {
      const request = { provider: "claude", model: "claude-sonnet-4", mode: "open" };
      expect(await admin().setCircuit(request, as(key))).toMatchObject({ state: "open", mode: "open" });
      const { circuits } = await admin().listCircuits({}, as(key));
      expect(circuits).toContainEqual(expect.objectContaining({ ...request, state: "open" }));
      await admin().setCircuit({ ...request, mode: "automatic" }, as(key));
      const after = await admin().listCircuits({}, as(key));
      expect(after.circuits.map(({ provider, model }) => [provider, model])).not.toContainEqual([
        "claude",
        "claude-sonnet-4",
      ]);
    });

    test.each([
      ["caller", Code.PermissionDenied, "permission_denied"],
      ["from-the-environment", Code.PermissionDenied, "permission_denied"],
      ["wrong", Code.Unauthenticated, "unauthenticated"],
    ])("the key %s may not", async (key, code, kind) => {
      for (const answer of [
        admin().listCircuits({}, as(key)),
        admin().setCircuit({ provider: "openai", mode: "open" }, as(key)),
      ]) {
        const error = await answer.then(() => undefined, ConnectError.from);
        expect(error?.code).toBe(code);
        expect(error?.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: kind }]);
        if (code === Code.PermissionDenied)
          expect(error?.rawMessage).toBe("AdminService takes an API key with the scope admin");
      }
    });

    test("a provider that there is not is told, with those that there are", async () => {
      const request = { provider: "nobody", mode: "open" };
      const error = await admin()
        .setCircuit(request, as("operator"))
        .then(() => undefined, ConnectError.from);
      expect(error?.code).toBe(Code.NotFound);
      expect(error?.rawMessage).toMatch(/^provider: there is no provider "nobody"; there are .*openai/);
      expect(error?.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject([{ field: "provider" }]);
    });

    test("a mode that there is not is refused", async () => {
      const error = await admin()
        .setCircuit({ provider: "openai", mode: "ajar" }, as("operator"))
        .then(() => undefined, ConnectError.from);
      expect(error?.code).toBe(Code.InvalidArgument);
      expect(error?.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject([{ field: "mode" }]);
    });
  });

  test("over REST, it is as on the others", async () => {
    for (const key of ["caller", "from-the-environment"]) {
      for (const reply of [
        await ask(both.url, "/circuits", undefined, key),
        await put(both.url, "openai", { mode: "open" }, key),
      ]) {
        expect(reply.status).toBe(403);
        expect(reply.json).toMatchObject({ code: "permission_denied" });
      }
    }
    expect((await put(both.url, "nobody", { mode: "open" }, "operator")).status).toBe(404);
    expect((await put(both.url, "openai", { mode: "ajar" }, "operator")).status).toBe(400);
    const set = await put(both.url, "mistral", { mode: "closed" }, "operator");
    expect(set).toMatchObject({
      status: 200,
      json: { provider: "mistral", state: "closed", mode: "closed" },
    });
    const { json } = await ask(both.url, "/circuits", undefined, "operator");
    const names = json.circuits.map(({ provider }: { provider: string }) => provider);
    expect(names).toEqual([...names].sort());
    expect(names).toContain("openai");
  });

  test("an operator's key may not call, and is told what it lacks", async () => {
    const called = both.emulator.meter.requests.length;
    const { status, json } = await ask(both.url, "/chat", HELLO, "operator");
    expect(status).toBe(403);
    expect(json.message).toBe("GatewayService takes an API key with the scope call");
    expect(both.emulator.meter.requests).toHaveLength(called);
    expect((await ask(both.url, "/chat", HELLO, "lead")).status).toBe(200);
    expect((await ask(both.url, "/chat", HELLO, "from-the-environment")).status).toBe(200);
    expect(both.log.events).toContainEqual(
      expect.objectContaining({ principal: "operator", failure_kind: "permission_denied" }),
    );
  });
});

function sha256(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

test("a provider that fails is left alone, tried once a period, and called again when it serves", async () => {
  const clock = new VirtualClock(Date.now());
  await using both = await startBoth({ resilience: BREAKER }, { clock });
  const { url, emulator } = both;
  expect(await metric(url, /llm_circuit_breaker_state\{provider="openai"\} \d/)).toMatch(/ 0$/);
  for (let n = 0; n < 4; n++) expect((await ask(url, "/chat", FAILING)).status).toBe(503);

  const called = emulator.meter.requests.length;
  const refused = await ask(url, "/chat", HELLO);
  expect(refused.status).toBe(503);
  expect(refused.headers.get("retry-after")).toBe("30");
  expect(refused.json.message).toContain("openai fails, and is left alone until it serves again");
  expect(emulator.meter.requests).toHaveLength(called);
  expect(await metric(url, /llm_circuit_breaker_state\{provider="openai"\} \d/)).toMatch(/ 2$/);
  expect(await metric(url, /llm_model_circuit_breaker_state\{.*gpt-4o.*\} \d/)).toMatch(/ 2$/);
  const { json: listed } = await ask(url, "/circuits");
  expect(listed.circuits).toContainEqual(
    expect.objectContaining({ provider: "openai", model: "", state: "open", attempts: 4, failures: 4 }),
  );
  const { json: status } = await ask(url, "/status");
  expect(status.providers).toContainEqual(
    expect.objectContaining({
      name: "openai",
      circuit: "open",
      status: "degraded",
      reason: "its circuit is open, since too many calls failed",
    }),
  );

  // While it is dead, one call a period reaches it.
  for (let period = 1; period <= 3; period++) {
    await clock.advance(30_000);
    const before = emulator.meter.requests.length;
    await Promise.all(Array.from({ length: 20 }, () => ask(url, "/chat", FAILING)));
    expect(emulator.meter.requests).toHaveLength(before + 1);
  }
  await clock.advance(30_000);
  expect((await ask(url, "/chat", HELLO)).status).toBe(200);
  expect((await ask(url, "/chat", HELLO)).status).toBe(200);
  expect(await metric(url, /llm_circuit_breaker_state\{provider="openai"\} \d/)).toMatch(/ 0$/);
  const levels = both.log.events
    .filter(({ msg, provider, model }) => msg === "circuit" && provider === "openai" && !model)
    .map(({ state, level }) => [state, level]);
  expect(levels.at(0)).toEqual(["open", 40]);
  expect(levels.at(-1)).toEqual(["closed", 30]);
});

test.each(WAYS)("who is refused is told why and when to come again: %s", async (_, transportTo) => {
  await using both = await startBoth({ resilience: BREAKER }, { clock: new VirtualClock(Date.now()) });
  const gateway = createClient(GatewayService, transportTo(both.url));
  const failed = (request: typeof HELLO) => gateway.chat(request).then(() => undefined, ConnectError.from);
  for (let n = 0; n < 4; n++) await failed(FAILING);
  const error = await failed(HELLO);
  expect(error?.code).toBe(Code.Unavailable);
  expect(error?.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "circuit_open" }]);
  expect(error?.findDetails(RetryInfoSchema)).toMatchObject([{ retryDelay: { seconds: 30n } }]);
});

test("the circuit of one model leaves the others alone", async () => {
  await using both = await startBoth({ resilience: BREAKER });
  await put(both.url, "openai", { model: "gpt-4o", mode: "open" });
  expect((await ask(both.url, "/chat", HELLO)).json.message).toContain("nothing is sent to openai/gpt-4o");
  const other = { ...HELLO, model: "openai/gpt-4o-mini" };
  expect(await ask(both.url, "/chat", other)).toMatchObject({ status: 200, json: { model: "gpt-4o-mini" } });
});

test("who is preferred is asked again once it may serve, though others serve meanwhile", async () => {
  const clock = new VirtualClock(Date.now());
  const policies = {
    routing_policies: { best: { prefer: ["openai/gpt-4o", "claude"], optimize: "preference" } },
  };
  await using both = await startBoth({ ...policies, resilience: BREAKER }, { clock });
  for (let n = 0; n < 4; n++) expect((await ask(both.url, "/chat", FAILING)).status).toBe(503);
  const chosen = { messages: HELLO.messages, routing_policy: "best" };
  expect((await ask(both.url, "/chat", chosen)).json.provider).toBe("claude");
  await clock.advance(30_000);
  expect((await ask(both.url, "/chat", chosen)).json.provider).toBe("openai");
  expect((await ask(both.url, "/chat", chosen)).json.provider).toBe("openai");
});

test("callers who want to wait for less than the provider may take open nothing", async () => {
  await using both = await startBoth({ resilience: BREAKER });
  const slow = { ...HELLO, messages: [{ role: "user", content: "[[emulate: first_token_ms=20000]] Hello" }] };
  const hasty = { ...slow, resilience: { first_event_timeout_ms: 10 } };
  for (let n = 0; n < 8; n++) {
    const { status, json } = await ask(both.url, "/stream", hasty);
    expect([status, json.details[0].debug.reason]).toEqual([504, "provider_timeout"]);
  }
  expect((await ask(both.url, "/chat", HELLO)).status).toBe(200);
  // Nor do they say of it that it serves badly.
  const { json } = await ask(both.url, "/status");
  const openai = json.providers.find(({ name }: { name: string }) => name === "openai");
  expect(openai).toMatchObject({ status: "available", recent: { attempts: 1, failures: 0 } });
});

test("callers who ask for what cannot be open nothing", async () => {
  await using both = await startBoth({ resilience: BREAKER });
  for (let n = 0; n < 10; n++) expect((await ask(both.url, "/chat", WRONG)).status).toBe(400);
  expect((await ask(both.url, "/chat", HELLO)).status).toBe(200);
});

test("what an operator sets holds, whatever becomes of the calls, until it is left to itself", async () => {
  await using both = await startBoth({ resilience: BREAKER });
  const { url, emulator } = both;
  await put(url, "openai", { mode: "open" });
  const refused = await ask(url, "/chat", HELLO);
  expect(refused.status).toBe(503);
  expect(refused.json.message).toContain("nothing is sent to openai: its circuit was opened by hand");
  expect(emulator.meter.requests).toHaveLength(0);
  expect((await ask(url, "/chat", { ...HELLO, model: "mistral/mistral-large-latest" })).status).toBe(200);
  await put(url, "openai", { mode: "closed" });
  await put(url, "openai", { model: "gpt-4o", mode: "closed" });
  const before = emulator.meter.requests.length;
  for (let n = 0; n < 8; n++) expect((await ask(url, "/chat", FAILING)).status).toBe(503);
  expect(emulator.meter.requests).toHaveLength(before + 8);
  expect((await put(url, "openai", { mode: "automatic" })).json).toMatchObject({
    state: "closed",
    attempts: 0,
  });
});
