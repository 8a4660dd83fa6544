/** Callers: each scenario is one call on one protocol; many run at once. */
import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Pool } from "undici";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { BURST, EVENTS_PER_STREAM, SHORT } from "./upstream.ts";

const CONCURRENCY = 16;
/** 0.5 kB, as docs/performance.md says. */
export const MESSAGES = [
  { role: "system", content: "You answer in few words. ".repeat(6) },
  { role: "user", content: "What does a gateway for language models do? ".repeat(6) },
];
const CANONICAL = JSON.stringify({
  messages: MESSAGES,
  model: "openai/gpt-4o",
  parameters: { max_tokens: 200 },
});
const OPENAI = JSON.stringify({ messages: MESSAGES, model: "gpt-4o", max_completion_tokens: 200 });
const OPENAI_STREAM = JSON.stringify({ messages: MESSAGES, model: "gpt-4o", stream: true });
const burst = (body: string) => body.replace("You answer", BURST);
const short = (body: string) => body.replace("You answer", SHORT);
const HEADERS = { "content-type": "application/json" };

export interface Scenario {
  readonly name: string;
  /** Which server's CPU is measured. */
  readonly server: "bare" | "gateway" | "cached";
  /** What the CPU is counted for; the bare server's scenario of the same unit is its measure. */
  readonly unit: string;
  /** Units of work in one call. */
  readonly unitsPerCall: number;
  call(): Promise<void>;
}

/** @param cachedUrl of a gateway that keeps answers */
export function scenarios(bareUrl: string, gatewayUrl: string, cachedUrl: string): Scenario[] {
  const bare = new Pool(bareUrl, { connections: CONCURRENCY });
  const gateway = new Pool(gatewayUrl, { connections: CONCURRENCY });
  const cached = new Pool(cachedUrl, { connections: CONCURRENCY });
  const grpc = createGrpcTransport({ baseUrl: gatewayUrl });
  const chat = { server: "gateway", unit: "call", unitsPerCall: 1 } as const;
  const stream = { server: "gateway", unit: "chunk", unitsPerCall: EVENTS_PER_STREAM } as const;
  return [
    {
      ...chat,
      name: "bare proxy, unary",
      server: "bare",
      call: () => post(bare, "/chat", OPENAI, '"usage"'),
    },
    {
      ...chat,
      name: "REST JSON chat",
      call: () => post(gateway, "/v1/gateway/chat", CANONICAL, "actual_usd"),
    },
    {
      ...chat,
      name: "REST JSON chat, cached",
      server: "cached",
      call: () => post(cached, "/v1/gateway/chat", CANONICAL, "actual_usd"),
    },
    {
      ...chat,
      name: "Connect JSON chat",
      call: () => post(gateway, "/llmgateway.v1.GatewayService/Chat", CANONICAL, "actual_usd"),
    },
    { ...chat, name: "gRPC chat", call: () => grpcChat(grpc) },
    ...streams(bare, gateway, (body) => body, ""),
    { ...stream, name: "gRPC stream", call: () => grpcStream(grpc) },
    ...streams(bare, gateway, burst, ", all at once"),
    ...shortStreams(bare, gateway, cached),
  ];
}

/** Of a hundred events each, which a cache may answer. */
function shortStreams(bare: Pool, gateway: Pool, cached: Pool): Scenario[] {
  const stream = { unit: "stream of 100 chunks", unitsPerCall: 1 } as const;
  const sse = (pool: Pool) => post(pool, "/v1/gateway/stream", short(CANONICAL), '"done":true');
  return [
    {
      ...stream,
      name: "raw proxy, short stream",
      server: "bare",
      call: () => post(bare, "/stream", short(OPENAI_STREAM), "[DONE]"),
    },
    { ...stream, name: "SSE short stream", server: "gateway", call: () => sse(gateway) },
    { ...stream, name: "SSE stream, cached", server: "cached", call: () => sse(cached) },
  ];
}

function streams(bare: Pool, gateway: Pool, edit: (body: string) => string, suffix: string): Scenario[] {
  const stream = { unit: `chunk${suffix}`, unitsPerCall: EVENTS_PER_STREAM } as const;
  return [
    {
      ...stream,
      name: `raw proxy, stream${suffix}`,
      server: "bare",
      call: () => post(bare, "/stream", edit(OPENAI_STREAM), "[DONE]"),
    },
    {
      ...stream,
      name: `SSE stream${suffix}`,
      server: "gateway",
      call: () => post(gateway, "/v1/gateway/stream", edit(CANONICAL), '"done":true'),
    },
  ];
}

/** Makes `count` calls, at most so many at once. Any failure ends the run. */
export async function load(scenario: Scenario, count: number): Promise<void> {
  let left = count;
  const caller = async () => {
    while (left-- > 0) await scenario.call();
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, caller));
}

async function post(pool: Pool, path: string, body: string, expected: string): Promise<void> {
  const reply = await pool.request({ method: "POST", path, headers: HEADERS, body });
  const text = await reply.body.text();
  if (reply.statusCode !== 200 || !text.includes(expected))
    throw new Error(`${path}: ${reply.statusCode} ${text}`);
}

const REQUEST = { messages: MESSAGES, model: "openai/gpt-4o", parameters: { maxTokens: 200 } };

async function grpcChat(transport: Transport): Promise<void> {
  const reply = await createClient(GatewayService, transport).chat(REQUEST);
  if (reply.cost?.actualUsd === undefined) throw new Error("gRPC chat without cost");
}

async function grpcStream(transport: Transport): Promise<void> {
  let done = false;
  for await (const event of createClient(GatewayService, transport).stream(REQUEST))
    done = event.done === true;
  if (!done) throw new Error("gRPC stream without end");
}
