/** What operators ask for: models, providers, health, metrics. */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";
import { scriptedProvider } from "../support/provider.ts";

let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth({
    providers: {
      away: { kind: "openai_compatible", base_url: "http://127.0.0.1:9/v1", models: ["one"] },
      closed: { kind: "mock", enabled: false },
    },
  });
});
afterAll(() => both[Symbol.asyncDispose]());

async function get(path: string) {
  const reply = await fetch(both.url + path);
  return { status: reply.status, json: JSON.parse(await reply.text()) };
}

function grpc() {
  return createClient(GatewayService, createGrpcTransport({ baseUrl: both.url }));
}

test("models are listed with their prices", async () => {
  const { status, json } = await get("/v1/gateway/models");
  expect(status).toBe(200);
  expect(json.models).toContainEqual(
    expect.objectContaining({
      id: "openai/gpt-4o",
      provider: "openai",
      model: "gpt-4o",
      input_per_1k_tokens: 0.0025,
      output_per_1k_tokens: 0.01,
      context_window_tokens: 128_000,
    }),
  );
  const ids = json.models.map(({ id }: { id: string }) => id);
  expect(ids).toContain("vertex_ai/gemini-2.0-flash");
  expect(ids).toContain("away/one");
  const { models } = await grpc().listModels({});
  expect(models.map(({ id }) => id)).toEqual(ids);
});

test("models of one provider are listed by the query", async () => {
  const { json } = await get("/v1/gateway/models?provider=away");
  expect(json.models).toEqual([{ id: "away/one", provider: "away", model: "one" }]);
  const { models } = await grpc().listModels({ provider: "away" });
  expect(models).toMatchObject([{ id: "away/one" }]);
});

test.each([
  ["/models?vendor=away", "vendor"],
  ["/models?__proto__=away", "__proto__"],
  ["/requests?since=2026-07-24T12:00:00Z&since.seconds=5", "since.seconds"],
])("a query that means nothing is refused by name: %s", async (path, name) => {
  const { status, json } = await get(`/v1/gateway${path}`);
  expect(status).toBe(400);
  expect(json.message).toContain(`unknown field "${name}"`);
});

test("a time in parts is refused, also where it is given as a text behind them", async () => {
  for (const more of ["", "&since=2026-07-24T12:00:00Z"]) {
    const { status, json } = await get(`/v1/gateway/requests?since.seconds=5${more}`);
    expect(status).toBe(400);
    expect(json.message).toContain("since: must be a time");
  }
});

test("the status tells which providers can be called, and why the others cannot", async () => {
  const { status, json } = await get("/v1/gateway/status");
  expect(status).toBe(200);
  expect(json).toMatchObject({ status: "serving", version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  expect(json.price_version).toMatch(/^\d{4}-\d{2}-\d{2}/);
  const byName = Object.fromEntries(json.providers.map((one: { name: string }) => [one.name, one]));
  expect(byName.openai).toMatchObject({ kind: "openai", status: "available", reason: "" });
  expect(byName.away).toMatchObject({ status: "unavailable", reason: expect.stringMatching(/./) });
  expect(byName.closed).toMatchObject({ status: "off", reason: "switched off in the configuration" });
  expect(byName.mock).toMatchObject({ status: "available", default_model: "mock-echo" });
  const reply = await grpc().getStatus({});
  expect(reply.providers.map(({ name }) => name)).toEqual(Object.keys(byName));
});

test("the status tells when a provider was asked, and how its calls went lately", async () => {
  const before = Date.now();
  await using own = await startBoth();
  const ask = (content: string) =>
    http1(
      `${own.url}/v1/gateway/chat`,
      JSON.stringify({ messages: [{ role: "user", content }], model: "openai/gpt-4o" }),
    );
  const standing = async () => {
    const { providers } = JSON.parse(await (await fetch(`${own.url}/v1/gateway/status`)).text());
    return providers.find(({ name }: { name: string }) => name === "openai");
  };
  const idle = await standing();
  expect(idle).not.toHaveProperty("recent");
  expect(Date.parse(idle.checked_at)).toBeGreaterThanOrEqual(before);
  await (await ask("Hello")).text();
  expect(await standing()).toMatchObject({
    status: "available",
    recent: { attempts: 1, failures: 0, error_share: 0, last_failure_kind: "" },
  });
  for (let call = 0; call < 4; call++) await (await ask("[[emulate: status=500]] Hello")).text();
  expect(await standing()).toMatchObject({
    status: "degraded",
    reason: "4 of the last minute's 5 calls failed, the latest by provider_error",
    recent: { attempts: 5, failures: 4, error_share: 0.8, last_failure_kind: "provider_error" },
  });
});

test("a provider that says nothing does not hold up the status", async () => {
  await using silent = await scriptedProvider(() => {});
  await using own = await startBoth({
    providers: { silent: { kind: "openai_compatible", base_url: silent.origin } },
  });
  const { providers } = JSON.parse(await (await fetch(`${own.url}/v1/gateway/status`)).text());
  expect(providers).toContainEqual(
    expect.objectContaining({
      name: "silent",
      status: "unchecked",
      reason: "it did not answer within 2000 ms",
    }),
  );
});

test("it is alive and ready", async () => {
  expect(await get("/v1/gateway/health")).toEqual({ status: 200, json: { status: "alive" } });
  expect(await get("/v1/gateway/health/ready")).toEqual({ status: 200, json: { status: "ready" } });
});

test("metrics count calls, tokens and money", async () => {
  const ask = (content: string) =>
    http1(
      `${both.url}/v1/gateway/chat`,
      JSON.stringify({ messages: [{ role: "user", content }], model: "openai/gpt-4o-mini" }),
    );
  const reply = JSON.parse(await (await ask("Hello")).text());
  await (await ask("[[emulate: status=500]] Hello")).text();
  const page = await fetch(`${both.url}/v1/gateway/metrics`);
  expect(page.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const text = await page.text();
  const sample = (name: string) => text.match(new RegExp(`^${name} (\\S+)$`, "m"))?.[1];
  const of = 'provider="openai",model="gpt-4o-mini"';
  expect(sample(`llm_requests_total\\{${of},route="chat",success="true"\\}`)).toBe("1");
  expect(sample(`llm_requests_total\\{${of},route="chat",success="false"\\}`)).toBe("1");
  expect(sample(`llm_latency_ms_count\\{${of}\\}`)).toBe("2");
  expect(sample(`llm_tokens_total\\{${of},direction="input"\\}`)).toBe(String(reply.cost.input_tokens));
  expect(sample(`llm_tokens_total\\{${of},direction="output"\\}`)).toBe(String(reply.cost.output_tokens));
  expect(Number(sample(`llm_cost_usd_total\\{${of},route="chat"\\}`))).toBe(reply.cost.actual_usd);
  expect(sample('llm_failures_total\\{kind="provider_error",route="chat"\\}')).toBe("1");
  expect(sample('llm_requests_in_flight\\{route="chat"\\}')).toBe("0");
});

test.each([
  ["GET", "/v1/gateway/models?x=1", "", 400],
  ["GET", "/v1/gateway/models", "", 200],
  ["GET", "/v1/gateway/health", "", 200],
  ["POST", "/llmgateway.v1.GatewayService/ListModels", "{}", 200],
])(
  "whoever asks by the whole URL, as proxies may, is answered: %s %s",
  async (method, path, body, status) => {
    const { hostname, port } = new URL(both.url);
    const headers = { "content-type": "application/json" };
    const asked = request({ hostname, port, method, path: `HTTP://localhost:${port}${path}`, headers });
    asked.end(body);
    const [reply] = (await once(asked, "response")) as [IncomingMessage];
    expect([reply.statusCode, await text(reply)]).toEqual([status, expect.stringContaining("{")]);
  },
);
