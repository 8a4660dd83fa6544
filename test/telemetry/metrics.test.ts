import { fromJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Receipt, ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { ownSeries, readSamples, samplesOf } from "../support/exposition.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { readEvents } from "../support/sse.ts";

let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth();
});
afterAll(() => both[Symbol.asyncDispose]());

async function post(path: string, model: string, content: string): Promise<Response> {
  return fetch(both.url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, messages: [{ role: "user", content }] }),
  });
}

/** The part of a unary reply that a stream calls its receipt. */
async function chat(model: string, content: string): Promise<Receipt> {
  const {
    provider,
    model: served,
    cost,
    attempts,
  } = JSON.parse(await (await post("/v1/gateway/chat", model, content)).text());
  return fromJson(ReceiptSchema, { provider, model: served, cost, attempts });
}

async function stream(model: string, content: string): Promise<Receipt> {
  const reply = await post("/v1/gateway/stream", model, content);
  const pieces = (reply.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream());
  let receipt: unknown;
  for await (const { data = "{}" } of readEvents(pieces)) {
    const event = JSON.parse(data);
    receipt = event.receipt ?? event.error?.receipt ?? receipt;
  }
  return fromJson(ReceiptSchema, receipt as Parameters<typeof fromJson>[1]);
}

async function metrics(): Promise<string> {
  return (await fetch(`${both.url}/v1/gateway/metrics`)).text();
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

it("agrees with the receipts to the digit", async () => {
  const whole = [
    await chat("openai/gpt-4o", "Hello"),
    await chat("openai/gpt-4o", "How are you?"),
    await chat("openai/gpt-4o", "And the weather?"),
  ];
  const streamed = [
    await stream("openai/gpt-4o", "Hello"),
    await stream("openai/gpt-4o", "Cut this short [[emulate: cut=2]]"),
  ];
  expect(streamed[1]?.attempts).toMatchObject([{ outcome: "failed", failureKind: "cut" }]);
  const text = await metrics();
  const who = 'model="gpt-4o",provider="openai"';
  expect(samplesOf(text, "llm_requests_total")).toEqual({
    [`${who},route="chat",success="true"`]: 3,
    [`${who},route="stream",success="true"`]: 1,
    [`${who},route="stream",success="false"`]: 1,
  });
  const usd = (receipts: readonly Receipt[]) =>
    sum(receipts.map(({ cost }) => cost?.actualUsd ?? Number.NaN));
  expect(samplesOf(text, "llm_cost_usd_total")).toEqual({
    [`${who},route="chat"`]: usd(whole),
    [`${who},route="stream"`]: usd(streamed),
  });
  const all = [...whole, ...streamed];
  const output = (receipts: readonly Receipt[]) =>
    sum(receipts.map(({ cost }) => cost?.outputTokens ?? Number.NaN));
  expect(samplesOf(text, "llm_tokens_total")).toEqual({
    [`direction="input",${who}`]: sum(all.map(({ cost }) => cost?.inputTokens ?? Number.NaN)),
    [`direction="output",${who}`]: output(all),
  });
  expect(samplesOf(text, "llm_stream_tokens_total")).toEqual({ [who]: output(streamed) });
  expect(samplesOf(text, "llm_latency_ms_count")).toEqual({ [who]: 5 });
  expect(samplesOf(text, "llm_requests_in_flight")).toEqual({ 'route="chat"': 0, 'route="stream"': 0 });
});

it("counts what reached no provider by its kind alone", async () => {
  const before = readSamples(await metrics());
  expect((await post("/v1/gateway/chat", "nobody/gpt-4o", "Hello")).status).toBe(404);
  const text = await metrics();
  expect(samplesOf(text, "llm_failures_total")).toMatchObject({ 'kind="unknown_model",route="chat"': 1 });
  const requests = [...readSamples(text)].filter(([name]) => name.startsWith("llm_requests_total"));
  for (const [name, value] of requests) expect(before.get(name)).toBe(value);
});

it("begins no series for each model that a caller makes up and its provider does not have", async () => {
  const ask = async (i: number) => {
    const failing = "Hello [[emulate: status=404 code=model_not_found]]";
    const reply = await post("/v1/gateway/chat", `openai/made-up-${i}`, failing);
    expect(reply.status).toBe(404);
    await reply.text();
  };
  await ask(0);
  const before = ownSeries(await metrics());
  for (let i = 1; i <= 10; i++) await ask(i);
  const text = await metrics();
  expect(ownSeries(text)).toEqual(before);
  expect(text).not.toContain("made-up");
  expect(samplesOf(text, "llm_requests_total")).toMatchObject({
    'model="unknown",provider="openai",route="chat",success="false"': 11,
  });
  expect(samplesOf(text, "llm_unpriced_attempts_total")).toEqual({});
});

it("refuses names that every object has, as it refuses any other", async () => {
  for (const model of ["constructor", "__proto__/gpt-4o", "toString/gpt-4o"]) {
    expect((await post("/v1/gateway/chat", model, "Hello")).status).toBe(404);
  }
  expect(await metrics()).not.toMatch(/constructor|__proto__|toString/);
});

it("tells of the process too, in Prometheus' own format", async () => {
  const reply = await fetch(`${both.url}/v1/gateway/metrics`);
  expect(reply.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const samples = readSamples(await reply.text());
  expect(samples.get("process_resident_memory_bytes")).toBeGreaterThan(0);
});
