/** REST and server-sent events as they stand on the wire: what a user of curl sends and sees. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LEAST_UNDER_WAY as UNDER_WAY } from "../../src/cost/answer.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";
import { readEvents, type Sse } from "../support/sse.ts";

let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth();
});
afterAll(() => both[Symbol.asyncDispose]());

async function chat(body: string, path = "/v1/gateway/chat") {
  const reply = await http1(both.url + path, body);
  return { status: reply.status, headers: reply.headers, json: JSON.parse(await reply.text()) };
}

async function stream(body: string, path = "/v1/gateway/stream", { url } = both) {
  const reply = await http1(url + path, body);
  const events: Sse[] = [];
  for await (const event of readEvents(reply.pieces)) events.push(event);
  const data = events.flatMap((event) => (event.data === undefined ? [] : [JSON.parse(event.data)]));
  return { status: reply.status, headers: reply.headers, events, data };
}

function ask(content: string, more: object = {}): string {
  return JSON.stringify({ messages: [{ role: "user", content }], model: "openai/gpt-4o", ...more });
}

describe("the sample requests of the plan", () => {
  test("chat completion", async () => {
    const { status, json } = await chat(`{
    "messages": [
      {"role": "user", "content": "Hello, world!"}
    ],
    "model": "openai",
    "model_version": "gpt-4o",
    "parameters": {
      "temperature": 0.7,
      "max_tokens": 100
    }
  }`);
    expect(status).toBe(200);
    expect(json).toMatchObject({ provider: "openai", model: "gpt-4o", finish_reason: "stop", cached: false });
    expect(json.response).toContain("Hello, world!");
    expect(json.cost.actual_usd).toBeGreaterThan(0);
    expect(json.cost.total_tokens).toBe(json.cost.input_tokens + json.cost.output_tokens);
  });

  test("streaming", async () => {
    const { status, data } = await stream(`{
    "messages": [
      {"role": "user", "content": "Tell me a story"}
    ],
    "model": "vertex_ai",
    "model_version": "gemini-2.0-flash"
  }`);
    expect(status).toBe(200);
    expect(data[0]).toMatchObject({ token: "This" });
    const done = data.at(-1);
    expect(done).toMatchObject({ done: true, receipt: { provider: "vertex_ai", model: "gemini-2.0-flash" } });
    expect(done.total_cost_usd).toBeGreaterThan(0);
  });
});

describe("JSON", () => {
  test("comes out in snake_case, with zeros written out and exact amounts as text", async () => {
    const { headers, json } = await chat(ask("Hello"));
    expect(headers.get("content-type")).toBe("application/json");
    expect(json.request_id).toBe(headers.get("x-request-id"));
    expect(json.cost).toMatchObject({ cached_input_tokens: 0, reasoning_tokens: 0, saved_usd: 0 });
    expect(json.cost.actual_pico_usd).toMatch(/^\d+$/);
    expect(Number(json.cost.actual_pico_usd) / 1e12).toBe(json.cost.actual_usd);
    expect(json.tool_calls).toEqual([]);
    expect(json.attempts[0]).toMatchObject({
      outcome: "ok",
      failure_kind: "",
      served_model: expect.any(String),
    });
    expect(JSON.stringify(json)).not.toMatch(/"[a-z]+[A-Z]\w*":/);
  });

  test("is taken in camelCase too", async () => {
    const body = ask("Hello", { model: "openai", modelVersion: "gpt-4o-mini", parameters: { maxTokens: 3 } });
    const { json } = await chat(body);
    expect(json).toMatchObject({ model: "gpt-4o-mini", finish_reason: "length", cost: { output_tokens: 3 } });
  });

  test("leaves a cost out that is not known", async () => {
    const { json } = await chat(ask("Hello", { model: "openai/no-price-is-known" }));
    expect(json.response).not.toBe("");
    expect(json.cost).not.toHaveProperty("actual_usd");
    expect(json.cost).not.toHaveProperty("actual_pico_usd");
    expect(json.cost).toMatchObject({ provenance: "unknown", input_tokens: expect.any(Number) });
  });
});

describe("a request id", () => {
  test("of the caller is kept where headers and logs can bear it", async () => {
    const { headers } = await http1(`${both.url}/v1/gateway/chat`, ask("Hello"), {
      headers: { "content-type": "application/json", "x-request-id": "order-17:retry.2" },
    });
    expect(headers.get("x-request-id")).toBe("order-17:retry.2");
  });

  test("is replaced where they cannot", async () => {
    const { headers } = await http1(`${both.url}/v1/gateway/chat`, ask("Hello"), {
      headers: { "content-type": "application/json", "x-request-id": 'x"} {"forged": "' },
    });
    expect(headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe("a stream", () => {
  test("is server-sent events that no proxy should hold back", async () => {
    const { headers, events } = await stream(ask("Hello"));
    expect(headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(headers.get("cache-control")).toContain("no-cache");
    expect(headers.get("x-accel-buffering")).toBe("no");
    expect(events.every((event) => event.event === "message")).toBe(true);
  });

  test('is the answer to "stream": true on the path of chat', async () => {
    const { headers, data } = await stream(ask("Hello", { stream: true }), "/v1/gateway/chat");
    expect(headers.get("content-type")).toContain("text/event-stream");
    expect(data.length).toBeGreaterThan(2);
    expect(data.at(-1)).toMatchObject({ done: true, finish_reason: "stop" });
    const { method, first_event_ms } = await both.log.about(data.at(-1).receipt.request_id);
    expect({ method, first_event_ms }).toEqual({ method: "Stream", first_event_ms: expect.any(Number) });
  });

  test("carries the running cost in dollars and exactly", async () => {
    const { data } = await stream(ask("Hello"));
    const words = data.slice(0, -1);
    for (const word of words) expect(Number(word.cost_pico_usd) / 1e12).toBe(word.cost_usd);
    expect(words.at(-1).cost_usd).toBeGreaterThan(words[0].cost_usd);
    expect(data.at(-1).total_cost_usd).toBe(data.at(-1).receipt.cost.actual_usd);
  });

  test("that fails before its first event has a status and no events", async () => {
    const reply = await http1(`${both.url}/v1/gateway/stream`, ask("[[emulate: status=503]] Hello"));
    expect(reply.status).toBe(503);
    expect(reply.headers.get("content-type")).toBe("application/json");
    expect(JSON.parse(await reply.text())).toMatchObject({ code: "unavailable" });
  });

  test("that fails later ends with an error event", async () => {
    const { status, events, data } = await stream(ask("[[emulate: cut=2]] Hello"));
    expect(status).toBe(200);
    expect(events.map(({ event }) => event)).toEqual(["message", "message", "error"]);
    const { error } = data.at(-1);
    expect(error).toMatchObject({ kind: "cut", message: expect.stringContaining("broke") });
    expect(error.receipt.cost).toMatchObject({
      output_tokens: expect.toSatisfy((tokens) => tokens >= 2 + UNDER_WAY),
      provenance: "estimated",
    });
    expect(error.receipt.cost.actual_usd).toBeGreaterThan(0);
  });
});

describe("pings", () => {
  let pinging: GatewayUnderTest;
  beforeAll(async () => {
    pinging = await startBoth({ server: { ping_interval: "0.02s" } });
  });
  afterAll(() => pinging[Symbol.asyncDispose]());

  const pinged = (body: string) => stream(body, "/v1/gateway/stream", pinging);

  test("keep a stream alive until the first word comes", async () => {
    const { events, data } = await pinged(ask("[[emulate: first_token_ms=150]] Hello"));
    const first = events.findIndex((event) => event.data !== undefined);
    expect(first).toBeGreaterThan(0);
    expect(events.slice(0, first)).toEqual(Array(first).fill({ comment: "ping" }));
    expect(data.at(-1)).toMatchObject({ done: true });
  });

  test("keep it alive between words", async () => {
    const { events } = await pinged(ask("[[emulate: interval_ms=80 tokens=3]] Hello"));
    const kinds = events.map((event) => (event.comment === undefined ? "data" : "ping"));
    expect(kinds.join(" ")).toMatch(/data (ping )+data/);
  });

  test("make a failure that follows them one within the stream", async () => {
    const { status, events, data } = await pinged(ask("[[emulate: delay_ms=100 status=503]] Hello"));
    expect(status).toBe(200);
    expect(events[0]).toEqual({ comment: "ping" });
    expect(events.at(-1)?.event).toBe("error");
    expect(data).toHaveLength(1);
    expect(data[0].error).toMatchObject({ kind: "provider_overloaded" });
  });
});
