import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { type Emulator, startEmulator } from "../../src/emulator/server.ts";
import { type GatewayProcess, startProcess } from "../support/process.ts";
import { type CollectedSpan, startCollector } from "./otlp.ts";

let emulator: Emulator;
let folder: string;
beforeAll(async () => {
  emulator = await startEmulator();
  folder = mkdtempSync(join(tmpdir(), "llmgateway-trace-"));
});
afterAll(async () => {
  await emulator.close();
  rmSync(folder, { recursive: true });
});

/** Writes down the address of every module that the process loads. */
const WATCH_LOADS = `data:text/javascript,${encodeURIComponent(`
  import { appendFileSync } from "node:fs";
  import { registerHooks } from "node:module";
  registerHooks({
    load(url, context, next) {
      appendFileSync(process.env.LOADED, url + "\\n");
      return next(url, context);
    },
  });
`)}`;

/** @param name tells apart the lists of loaded modules */
async function traced(
  name: string,
  env: Readonly<Record<string, string>>,
  use: (gateway: GatewayProcess) => Promise<void>,
) {
  const loaded = join(folder, name);
  const base = { OPENAI_API_KEY: "emulated", OPENAI_BASE_URL: `${emulator.url}/v1`, LOADED: loaded };
  await using gateway = await startProcess({ ...base, ...env }, ["--import", WATCH_LOADS]);
  await use(gateway);
  expect(await gateway.stop()).toBe(0);
  return readFileSync(loaded, "utf8").split("\n");
}

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
const LATE = "1af7651916cd43dd8448eb211c80319d";

function post(gateway: GatewayProcess, path: string, model: string, traceparent?: string): Promise<Response> {
  return fetch(gateway.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...(traceparent ? { traceparent } : {}) },
    body: JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] }),
  });
}

/** Over Connect, whose deadline ends the call. */
function late(gateway: GatewayProcess): Promise<Response> {
  const messages = [{ role: "user", content: "[[emulate: delay_ms=20000]] Hello" }];
  return fetch(`${gateway.url}/llmgateway.v1.GatewayService/Chat`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "connect-timeout-ms": "1000",
      traceparent: `00-${LATE}-${CALLER}-01`,
    },
    body: JSON.stringify({ model: "openai/gpt-4o", messages }),
  });
}

describe("with an endpoint", () => {
  let spans: readonly CollectedSpan[];
  let paths: ReadonlySet<string>;
  let loaded: string[];
  let requestId: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: JSON as it came
  let reply: any;

  beforeAll(async () => {
    await using collector = await startCollector();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: "our-gateway" };
    loaded = await traced("on", env, async (gateway) => {
      const traceparent = `00-${TRACE}-${CALLER}-01`;
      const chat = await post(gateway, "/v1/gateway/chat", "openai/gpt-4o", traceparent);
      requestId = chat.headers.get("x-request-id");
      reply = await chat.json();
      await (await post(gateway, "/v1/gateway/stream", "openai/gpt-4o")).text();
      await (await post(gateway, "/v1/gateway/chat", "nobody/gpt-4o")).text();
      await (await late(gateway)).text();
    });
    // All that the gateway had is here once it has ended: it flushes when it drains.
    ({ spans, paths } = collector);
  });

  const inTrace = () => spans.filter(({ traceId }) => traceId === TRACE);
  const named = (name: string, among = inTrace()) => {
    const found = among.filter((span) => span.name === name);
    expect(found).toHaveLength(1);
    return found[0] as CollectedSpan;
  };

  it("loads the SDK, and exports to the endpoint", () => {
    expect(loaded.some((url) => url.includes("/@opentelemetry/sdk-node/"))).toBe(true);
    expect([...paths]).toEqual(["/v1/traces"]);
    expect(new Set(spans.map(({ service }) => service))).toEqual(new Set(["our-gateway"]));
  });

  it("continues the caller's trace with the request, the provider's call and the serialisation", () => {
    const request = named("llmgateway.v1.GatewayService/Chat");
    expect(request).toMatchObject({ kind: 2, parentSpanId: CALLER });
    expect(named("chat gpt-4o")).toMatchObject({ kind: 3, parentSpanId: request.spanId });
    expect(named("serialize")).toMatchObject({ kind: 1, parentSpanId: request.spanId });
    expect(inTrace()).toHaveLength(3);
  });

  it("tells of a call that its deadline ended over Connect", () => {
    const ended = spans.filter(({ traceId }) => traceId === LATE);
    expect(named("llmgateway.v1.GatewayService/Chat", ended)).toMatchObject({
      status: { code: 2 },
      attributes: {
        "error.type": "deadline_exceeded",
        "gen_ai.provider.name": "openai",
        "llmgateway.attempts": expect.anything(),
      },
    });
  });

  it("tells the request id, the tokens and the cost, as the reply does", () => {
    const { cost } = reply;
    expect(cost.actual_usd).toBeGreaterThan(0);
    for (const span of [named("llmgateway.v1.GatewayService/Chat"), named("chat gpt-4o")]) {
      expect(span.attributes).toMatchObject({
        "llmgateway.request_id": requestId,
        "llmgateway.cost_usd": cost.actual_usd,
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
      });
      expect(Number(span.attributes["gen_ai.usage.input_tokens"])).toBe(cost.input_tokens);
      expect(Number(span.attributes["gen_ai.usage.output_tokens"])).toBe(cost.output_tokens);
    }
  });

  it("begins a trace for a caller without one, for streams too", () => {
    const request = named("llmgateway.v1.GatewayService/Stream", [...spans]);
    expect(request.traceId).not.toBe(TRACE);
    expect(request.parentSpanId || undefined).toBeUndefined();
    const call = spans.find(({ parentSpanId }) => parentSpanId === request.spanId);
    expect(call).toMatchObject({ name: "chat gpt-4o", traceId: request.traceId });
  });

  it("marks a request that failed", () => {
    const [failed] = spans.filter(({ status }) => status.code === 2);
    expect(failed).toMatchObject({
      name: "llmgateway.v1.GatewayService/Chat",
      attributes: { "error.type": "unknown_model" },
      status: { message: expect.stringContaining('no provider "nobody"') },
    });
  });
});

describe("with an endpoint that takes nothing", () => {
  it.each([
    ["refuses", (reply: ServerResponse) => void reply.writeHead(400).end("no"), "Bad Request"],
    ["does not answer", () => {}, "did not take them within 3 s"],
  ])("ends as usual where it %s, and says so", async (_, answer, failure) => {
    const server = createServer((request, reply) => void request.resume().on("end", () => answer(reply)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using gateway = await startProcess({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
    await (await post(gateway, "/v1/gateway/chat", "mock")).text();
    const ended = gateway.stop();
    const events = () => gateway.lines.map((line) => JSON.parse(line));
    await vi.waitFor(() => expect(events().at(-1)).toMatchObject({ msg: "stopped" }), { timeout: 20_000 });
    const msg = "the last spans could not be exported";
    expect(events()).toContainEqual(
      expect.objectContaining({ msg, failure: expect.stringContaining(failure) }),
    );
    // What waits for the endpoint is let go of.
    server.closeAllConnections();
    server.close();
    expect(await ended).toBe(0);
  });
});

describe("without an endpoint", () => {
  it("does not even load the SDK, and answers all the same", async () => {
    const loaded = await traced("off", {}, async (gateway) => {
      const reply = await post(gateway, "/v1/gateway/chat", "openai/gpt-4o", `00-${TRACE}-${CALLER}-01`);
      expect(reply.status).toBe(200);
      await reply.text();
    });
    expect(loaded.some((url) => url.endsWith("/src/gateway.ts"))).toBe(true);
    const packages = loaded.map((url) => /\/@opentelemetry\/([^/]+)\//.exec(url)?.[1]).filter(Boolean);
    expect([...new Set(packages)]).toEqual(["api"]);
  });
});
