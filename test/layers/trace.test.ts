import { trace as api, type Span, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { AttemptCall } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import { embedded, type Reply } from "../../src/core/reply.ts";
import { usage } from "../../src/core/usage.ts";
import { breaker } from "../../src/layers/breaker.ts";
import { fallback } from "../../src/layers/fallback.ts";
import { meter } from "../../src/layers/meter.ts";
import { trace } from "../../src/layers/trace.ts";
import { Circuits } from "../../src/resilience/circuits.ts";
import { type CallInit, eventsOf, replyOf, routedCallOf, spoken, TARGET } from "../support/call.ts";
import { CIRCUIT_RULE } from "../support/circuit.ts";
import { VirtualClock } from "../support/clock.ts";
import { accountsOf } from "../support/means.ts";
import { PRICE_VERSION } from "../support/prices.ts";

type Processor = NonNullable<NonNullable<ConstructorParameters<typeof NodeSDK>[0]>["spanProcessors"]>[number];
type Ended = Parameters<Processor["onEnd"]>[0];

const ended: Ended[] = [];
const sdk = new NodeSDK({
  instrumentations: [],
  metricReaders: [],
  logRecordProcessors: [],
  spanProcessors: [
    {
      onStart: () => {},
      onEnd: (span) => void ended.push(span),
      forceFlush: async () => {},
      shutdown: async () => {},
    },
  ],
});
beforeAll(() => sdk.start());
afterAll(() => sdk.shutdown());
beforeEach(() => void ended.splice(0));

function tracedCall(init: CallInit = {}) {
  const span: Span = api.getTracer("test").startSpan("request");
  return { span, call: routedCallOf({ ...init, context: { span } }) };
}

function stack(serve: (call: AttemptCall) => Promise<Reply>) {
  return trace()(meter(accountsOf(new VirtualClock()))(serve));
}

it("tells of an attempt: who served, what it used and what it cost, below the request's span", async () => {
  const { call, span } = tracedCall();
  const reply = await stack(async ({ attempt }) => {
    attempt.usage = usage("measured", { inputTokens: 3, outputTokens: 2 });
    attempt.servedModel = "gpt-4o-2024-08-06";
    return replyOf(spoken(["Hello"]));
  })(call);
  expect(ended).toEqual([]);
  await eventsOf(reply);
  expect(ended).toMatchObject([
    {
      name: "chat gpt-4o",
      kind: SpanKind.CLIENT,
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 2,
        "llmgateway.request_id": "request-1",
        "llmgateway.attempt": 1,
        "llmgateway.trigger": "first",
        "llmgateway.outcome": "ok",
        "llmgateway.usage.provenance": "measured",
        "llmgateway.cost_usd": 0.000023,
        "llmgateway.price_version": PRICE_VERSION,
      },
    },
  ]);
  expect(ended[0]?.parentSpanContext?.spanId).toBe(span.spanContext().spanId);
});

it("tells of a failure before the first event", async () => {
  const { call } = tracedCall();
  const failure = new Failure("provider_overloaded", "busy");
  await expect(stack(() => Promise.reject(failure))(call)).rejects.toBe(failure);
  expect(ended).toMatchObject([
    {
      status: { code: SpanStatusCode.ERROR },
      attributes: {
        "error.type": "provider_overloaded",
        "llmgateway.outcome": "failed",
        "llmgateway.cost_usd": 0,
      },
    },
  ]);
});

it("tells of a failure within a stream", async () => {
  const { call } = tracedCall();
  const cut = new Failure("cut", "gone");
  const reply = await stack(async () => replyOf(spoken(["Hello"]).slice(0, 1), cut))(call);
  await expect(eventsOf(reply)).rejects.toBe(cut);
  expect(ended).toMatchObject([
    { attributes: { "error.type": "cut", "llmgateway.usage.provenance": "estimated" } },
  ]);
});

it("tells whoever stands above it of the attempt too", async () => {
  const { call } = tracedCall({ trigger: "hedge" });
  const told: Attempt[] = [];
  const begun = (attempt: Attempt) => void told.push(attempt);
  await eventsOf(await stack(async () => replyOf(spoken(["Hello"])))({ ...call, begun }));
  expect(told).toEqual(call.tally.attempts);
  expect(ended[0]?.attributes["llmgateway.trigger"]).toBe("hedge");
});

it("tells on the call's own span who was not asked since its circuit is open, when another serves", async () => {
  const clock = new VirtualClock();
  const circuits = new Circuits(clock, () => {});
  circuits.provider("claude").set("open");
  circuits.ofModel({ provider: "gemini", model: "gemini-2.5-pro" }).set("open");
  const { call, span } = tracedCall();
  const service = breaker(circuits, () => CIRCUIT_RULE, clock)(stack(async () => replyOf(spoken(["Hello"]))));
  const targets = [
    { provider: "claude", model: "claude-sonnet-5" },
    { provider: "gemini", model: "gemini-2.5-pro" },
    TARGET,
  ] as const;
  await eventsOf(await fallback()(service)({ ...call, targets }));
  span.end();
  expect(ended.map(({ attributes }) => attributes["llmgateway.trigger"])).toEqual(["fallback", undefined]);
  expect(ended[1]?.events.map(({ name, attributes }) => [name, attributes])).toEqual(
    targets
      .slice(0, 2)
      .map(({ provider, model }) => [
        "llmgateway.circuit_refused",
        { "gen_ai.provider.name": provider, "gen_ai.request.model": model },
      ]),
  );
});

it("tells of a reader who left", async () => {
  const { call } = tracedCall();
  const reply = await stack(async () => replyOf(spoken(["Hello", "world"])))(call);
  for await (const _ of reply.events) break;
  expect(ended).toMatchObject([
    { attributes: { "llmgateway.outcome": "abandoned", "error.type": "cancelled" } },
  ]);
});

it("tells each attempt of a call apart", async () => {
  const { call } = tracedCall();
  const failure = new Failure("unreachable", "away");
  const service = stack(() => Promise.reject(failure));
  await expect(service(call)).rejects.toBe(failure);
  await expect(service(call)).rejects.toBe(failure);
  expect(ended.map(({ attributes }) => attributes["llmgateway.attempt"])).toEqual([1, 2]);
  expect(new Set(ended.map(({ parentSpanContext }) => parentSpanContext?.spanId)).size).toBe(1);
});

it("does nothing when the request is not traced", async () => {
  await eventsOf(await stack(async () => replyOf(spoken(["Hello"])))(routedCallOf()));
  expect(ended).toEqual([]);
});

const VECTOR = { $typeName: "llmgateway.v1.Embedding" as const, index: 0, values: [1] };

it("calls embeddings by their name", async () => {
  const { call, span } = tracedCall({ embed: { input: ["Hello"] } });
  const reply = await stack(async ({ attempt }) => {
    attempt.usage = usage("measured", { inputTokens: 2 });
    return embedded([VECTOR]);
  })(call);
  expect(reply.embeddings).toEqual([VECTOR]);
  await eventsOf(reply);
  span.end();
  expect(ended[0]).toMatchObject({
    name: "embeddings gpt-4o",
    attributes: { "gen_ai.operation.name": "embeddings", "gen_ai.usage.output_tokens": 0 },
  });
});
