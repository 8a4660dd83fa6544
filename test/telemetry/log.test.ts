import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Gateway, startGateway } from "../../src/gateway.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { type Play, type ScriptedProvider, scriptedProvider } from "../support/provider.ts";

/** None of these looks like a key of a known provider, but for the first. */
const PROVIDER_KEY = "sk-proj-Zx81kQpL0vNwTYu33aBcD";
const PLAIN_PROVIDER_KEY = "house-of-models-0123456789";
const CALLER_KEY = "alice-in-0123456789";
const WRONG_KEY = "mallory-out-0123456789";
const STRAY_KEY = "sk-stray-0123456789abcdef";
const SECRETS = [PROVIDER_KEY, PLAIN_PROVIDER_KEY, CALLER_KEY, WRONG_KEY];

/** Fails as the question says, and says all that it was sent. */
const indiscreet: Play = (reply, { headers, body }) => {
  const said = JSON.stringify({
    error: {
      message: `Incorrect API key provided: ${headers.authorization}. You sent ${JSON.stringify(headers)}`,
      type: "invalid_request_error",
      code: "invalid_api_key",
    },
  });
  if (body.includes("in the middle")) {
    reply.writeHead(200, { "content-type": "text/event-stream" });
    reply.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: "Hi" } }] })}\n\n`);
    reply.end(`data: ${said}\n\n`);
  } else {
    const status = Number(/status (\d+)/.exec(body)?.[1] ?? 401);
    reply.writeHead(status, { "content-type": "application/json", "x-request-id": "provider-7" }).end(said);
  }
};

let provider: ScriptedProvider;
let gateway: Gateway;
let folder: string;
const lines: string[] = [];

beforeAll(async () => {
  provider = await scriptedProvider(indiscreet);
  folder = mkdtempSync(join(tmpdir(), "llmgateway-log-"));
  const file = join(folder, "config.yaml");
  const house = { kind: "openai_compatible", base_url: provider.origin, api_key_env: "HOUSE_KEY" };
  const providers = { openai: { base_url: provider.origin }, house };
  writeFileSync(file, JSON.stringify({ server: { port: 0, host: "127.0.0.1" }, providers }));
  const env = {
    OPENAI_API_KEY: PROVIDER_KEY,
    HOUSE_KEY: PLAIN_PROVIDER_KEY,
    LLMGATEWAY_API_KEYS: `alice=${CALLER_KEY}`,
    LOG_LEVEL: "trace",
    LLMGATEWAY_DATA_DIR: join(folder, "data"),
  };
  gateway = await startGateway({ file, env, logTo: { write: (line) => void lines.push(line) } });
});
afterAll(async () => {
  await gateway.close();
  await provider[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

interface Ask {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function post({ path = "/v1/gateway/chat", headers, body = "{}" }: Ask) {
  const reply = await fetch(gateway.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${CALLER_KEY}`, ...headers },
    body,
  });
  return { status: reply.status, text: await reply.text() };
}

const chat = (fields: object, content = "Hello") =>
  JSON.stringify({ model: "openai/gpt-4o", messages: [{ role: "user", content }], ...fields });

describe("no log line and no answer holds a key", () => {
  it.each<[string, Ask, number]>([
    ["a wrong key", { headers: { authorization: `Bearer ${WRONG_KEY}` } }, 401],
    ["a wrong key in its other header", { headers: { authorization: "", "x-api-key": WRONG_KEY } }, 401],
    ["a key of another kind", { headers: { authorization: `Basic ${WRONG_KEY}` } }, 401],
    ["a provider that repeats the key it was sent", { body: chat({}) }, 500],
    ["a provider that repeats a key that looks like nothing", { body: chat({ model: "house/llama" }) }, 500],
    [
      "a provider that fails and repeats the key",
      { body: chat({ model: "house/llama" }, "status 500") },
      500,
    ],
    ["a provider that blames the caller", { body: chat({ model: "house/llama" }, "status 400") }, 500],
    ["a stream that breaks off", { path: "/v1/gateway/stream", body: chat({}, "in the middle") }, 200],
    ["a key for a model", { body: chat({ model: STRAY_KEY }) }, 404],
    ["a key for a provider's model", { body: chat({ model: `house/${STRAY_KEY}` }) }, 500],
    ["a key for a label", { body: chat({ metadata: { key: STRAY_KEY } }) }, 500],
    ["a key for a field", { body: chat({ api_key: WRONG_KEY }) }, 400],
    ["a key for a role", { body: chat({ messages: [{ role: WRONG_KEY }] }) }, 400],
    ["a key in what is no JSON", { body: `{"api_key": ${WRONG_KEY}` }, 400],
    ["a key in the address", { path: `/v1/gateway/nowhere?api_key=${WRONG_KEY}` }, 404],
  ])("%s", async (_, ask, status) => {
    const before = lines.length;
    const reply = await post(ask);
    expect(reply.status).toBe(status);
    expect(lines.length).toBe(before + 1);
    const written = lines.slice(before).join("");
    expect(JSON.parse(written)).toMatchObject({
      outcome: "failed",
      failure_kind: expect.stringMatching(/^[a-z_]+$/),
    });
    for (const secret of SECRETS) {
      expect(written).not.toContain(secret);
      expect(reply.text).not.toContain(secret);
    }
    // A receipt repeats to the caller what it asked for; the log does not.
    expect(written).not.toContain(STRAY_KEY);
    expect(written).not.toMatch(/bearer [\w.~+/=-]{6,}/i);
  });

  it("nor does the status of the providers", async () => {
    const reply = await fetch(`${gateway.url}/v1/gateway/status`, {
      headers: { authorization: `Bearer ${CALLER_KEY}` },
    });
    const text = await reply.text();
    expect(text).toContain("[redacted]");
    for (const secret of SECRETS) expect(text).not.toContain(secret);
  });

  it("though the operator learns what the provider said", () => {
    const refused = lines
      .map((line) => JSON.parse(line))
      .filter(({ operator }) => operator?.includes("provider-7"));
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0].operator).toContain("HTTP 401");
    expect(refused[0].operator).toContain("Incorrect API key provided");
  });
});

describe("createLog", () => {
  it("writes JSON lines with a time, from the level on", () => {
    const written: string[] = [];
    const { logger } = createLog("warn", { write: (line) => void written.push(line) });
    logger.info("not this");
    logger.warn({ a: 1 }, "this");
    expect(written).toHaveLength(1);
    const event = JSON.parse(written[0] ?? "");
    expect(event).toMatchObject({ level: 40, msg: "this", a: 1 });
    expect(new Date(event.time).getTime()).toBeCloseTo(Date.now(), -5);
  });
});
