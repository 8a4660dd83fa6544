/** Which web pages a browser lets read the gateway's replies, on every protocol. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const APP = "https://app.example.com";

let open: GatewayUnderTest;
let shut: GatewayUnderTest;
beforeAll(async () => {
  const cors = { allowed_origins: [APP, "https://*.example.org"], max_age: "600s" };
  [open, shut] = await Promise.all([startBoth({ server: { cors } }), startBoth()]);
});
afterAll(() => Promise.all([open[Symbol.asyncDispose](), shut[Symbol.asyncDispose]()]));

const PATHS = [
  "/v1/gateway/chat",
  "/v1/gateway/stream",
  "/v1/gateway/status",
  "/llmgateway.v1.GatewayService/Chat",
  "/v1/gateway/llmgateway.v1.GatewayService/Stream",
];

function preflight(url: string, path: string, origin: string, headers: string) {
  return fetch(url + path, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": headers,
    },
  });
}

/** What a browser checks header by header, whatever their case. */
function listed(reply: Response, name: string): string[] {
  return (reply.headers.get(name) ?? "")
    .toLowerCase()
    .split(",")
    .map((word) => word.trim());
}

describe.each(PATHS)("%s", (path) => {
  test.each([
    ["gRPC-Web", ["content-type", "x-grpc-web", "x-user-agent", "grpc-timeout"]],
    ["Connect", ["content-type", "connect-protocol-version", "connect-timeout-ms"]],
    ["keys and traces", ["authorization", "x-api-key", "x-request-id", "idempotency-key", "traceparent"]],
  ])("lets an allowed page send the headers of %s", async (_, headers) => {
    const reply = await preflight(open.url, path, APP, headers.join(","));
    expect(reply.status).toBe(204);
    expect(reply.headers.get("access-control-allow-origin")).toBe(APP);
    expect(reply.headers.get("access-control-max-age")).toBe("600");
    expect(listed(reply, "access-control-allow-headers")).toEqual(expect.arrayContaining(headers));
    expect(listed(reply, "access-control-allow-methods")).toEqual(expect.arrayContaining(["post", "get"]));
  });

  test("lets no other page call", async () => {
    const reply = await preflight(open.url, path, "https://evil.example", "content-type");
    expect(reply.headers.has("access-control-allow-origin")).toBe(false);
  });

  test("lets no page call while none is configured", async () => {
    const reply = await preflight(shut.url, path, APP, "content-type");
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(reply.headers.has("access-control-allow-origin")).toBe(false);
  });
});

const BODY = JSON.stringify({ messages: [{ role: "user", content: "Hello" }], model: "openai/gpt-4o" });

test.each(PATHS.filter((path) => !path.includes("Stream")))(
  "%s shows an allowed page what the protocols and the gateway say in headers",
  async (path) => {
    const post = { method: "POST", body: BODY };
    const reply = await fetch(open.url + path, {
      headers: { origin: APP, "content-type": "application/json" },
      ...(path.endsWith("status") ? {} : post),
    });
    expect(reply.status).toBe(200);
    await reply.text();
    expect(reply.headers.get("access-control-allow-origin")).toBe(APP);
    expect(listed(reply, "vary")).toContain("origin");
    expect(listed(reply, "access-control-expose-headers")).toEqual(
      expect.arrayContaining([
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "x-request-id",
        "retry-after",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
      ]),
    );
  },
);

test("a page may read why its call failed", async () => {
  const reply = await fetch(`${open.url}/v1/gateway/chat`, {
    method: "POST",
    headers: { origin: APP, "content-type": "application/json" },
    body: "{}",
  });
  expect(reply.status).toBe(400);
  expect(reply.headers.get("access-control-allow-origin")).toBe(APP);
  await reply.text();
});

test.each([
  ["https://one.example.org", true],
  ["https://two.levels.example.org", true],
  ["https://example.org", false],
  ["http://one.example.org", false],
  ["https://one.example.org.evil.example", false],
  ["https://evilexample.org", false],
])("a pattern stands for the subdomains: %s", async (origin, allowed) => {
  const reply = await preflight(open.url, "/v1/gateway/chat", origin, "content-type");
  expect(reply.headers.get("access-control-allow-origin")).toBe(allowed ? origin : null);
});

test.each(["https://app.example.com/path", "app.example.com", "https://*", "*.example.com"])(
  "%s is refused as an origin, with what one looks like",
  async (origin) => {
    const started = startBoth({ server: { cors: { allowed_origins: [origin] } } });
    await expect(started).rejects.toThrow(ConfigError);
    await expect(started).rejects.toThrow("server.cors.allowed_origins[0]: must be an origin without a path");
  },
);
