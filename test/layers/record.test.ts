import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { RouteSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { AttemptCall, Call, Layer, RoutedCall } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import type { CallRow } from "../../src/core/ledger.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import type { Reply } from "../../src/core/reply.ts";
import { usage } from "../../src/core/usage.ts";
import { meter } from "../../src/layers/meter.ts";
import { record } from "../../src/layers/record.ts";
import { countAttempt } from "../../src/telemetry/attempts.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { attemptOf, type CallInit, callOf, eventsOf, replyOf, spoken, TARGET } from "../support/call.ts";
import { settled, VirtualClock } from "../support/clock.ts";
import { ownSeries, samplesOf } from "../support/exposition.ts";
import { accountsOf } from "../support/means.ts";
import { INPUT, OUTPUT, PRICE_VERSION } from "../support/prices.ts";

type Serve = (call: AttemptCall) => Promise<Reply>;
type LogEvent = Readonly<Record<string, unknown>>;

/** A recorder, and what it told; below it the meter, which keeps the rows. */
function recorder() {
  const clock = new VirtualClock();
  const metrics = createMetrics();
  const log: LogEvent[] = [];
  const { logger } = createLog("info", { write: (line: string) => void log.push(JSON.parse(line)) });
  const to =
    (target: RoutedCall["target"]): Layer<Call, RoutedCall> =>
    (next) =>
    (call) =>
      next({ ...call, target, trigger: "first", alternatives: [] });
  const stack = (serve: Serve, target = TARGET) =>
    record(
      { logger, metrics },
      clock,
    )(
      to(target)(
        meter(
          accountsOf(clock, { onSettled: (attempt, call) => countAttempt(metrics, attempt, call, true) }),
        )(serve),
      ),
    );
  const samples = async (name: string) => samplesOf(await metrics.registry.metrics(), name);
  return { clock, log, metrics, stack, samples };
}

const serving: Serve = async ({ attempt }) => {
  attempt.usage = usage("measured", {
    inputTokens: 30,
    cachedInputTokens: 10,
    outputTokens: 4,
    reasoningTokens: 1,
  });
  return replyOf(spoken(["Hello", " world"]));
};
const COST = 20n * INPUT + 10n * (INPUT / 10n) + 4n * OUTPUT;

async function failing(stack: (call: Call) => Promise<Reply>, init: CallInit = {}): Promise<Failure> {
  const thrown = await stack(callOf(init))
    .then(eventsOf)
    .catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(Failure);
  return thrown as Failure;
}

describe("a call that ended well", () => {
  it("is one log event, with who, where, what and how much", async () => {
    const { clock, log, stack } = recorder();
    const init = { context: { principal: "alice", protocol: "grpc", peer: "192.0.2.7" } } as const;
    const metadata = { team: "search", oops: "sk-proj-abcdefghijkl" };
    const call = callOf({ ...init, request: { messages: [{ role: "user", content: "Hello" }], metadata } });
    call.tally.route = create(RouteSchema, { policy: "explicit", reason: "named" });
    const reply = await stack(serving)(call);
    await clock.advance(12);
    await eventsOf(reply);
    expect(log).toEqual([
      expect.objectContaining({
        request_id: "request-1",
        method: "Stream",
        protocol: "grpc",
        principal: "alice",
        tenant: "internal",
        peer: "192.0.2.7",
        provider: "openai",
        model: "gpt-4o",
        route: "explicit",
        outcome: "ok",
        finish_reason: "stop",
        latency_ms: 12,
        first_event_ms: 12,
        attempts: 1,
        input_tokens: 30,
        output_tokens: 4,
        cached_input_tokens: 10,
        reasoning_tokens: 1,
        cost_usd: Number(COST) / 1e12,
        cost_pico_usd: String(COST),
        provenance: "measured",
        price_version: PRICE_VERSION,
        metadata: { team: "search", oops: "[redacted]" },
      }),
    ]);
  });

  it("is one set of metrics, by the names and labels of the plan", async () => {
    const { clock, stack, samples } = recorder();
    const reply = await stack(serving)(callOf());
    await clock.advance(12);
    await eventsOf(reply);
    const who = 'model="gpt-4o",provider="openai"';
    expect(await samples("llm_requests_total")).toEqual({ [`${who},route="stream",success="true"`]: 1 });
    expect(await samples("llm_tokens_total")).toEqual({
      [`direction="input",${who}`]: 30,
      [`direction="output",${who}`]: 4,
    });
    expect(await samples("llm_stream_tokens_total")).toEqual({ [who]: 4 });
    expect(await samples("llm_cost_usd_total")).toEqual({ [`${who},route="stream"`]: Number(COST) / 1e12 });
    expect(await samples("llm_latency_ms_count")).toEqual({ [who]: 1 });
    expect(await samples("llm_latency_ms_sum")).toEqual({ [who]: 12 });
    expect(await samples("llm_unpriced_attempts_total")).toEqual({});
    expect(await samples("llm_failures_total")).toEqual({});
    expect(await samples("llm_requests_in_flight")).toEqual({ 'route="stream"': 0 });
  });

  it("counts no stream's tokens when it is unary", async () => {
    const { stack, samples } = recorder();
    await eventsOf(await stack(serving)(callOf({ streaming: false })));
    expect(await samples("llm_stream_tokens_total")).toEqual({});
    expect(Object.keys(await samples("llm_requests_total"))).toEqual([
      'model="gpt-4o",provider="openai",route="chat",success="true"',
    ]);
  });

  it("bears its receipt on the last event", async () => {
    const { stack } = recorder();
    const events = await eventsOf(await stack(serving)(callOf()));
    expect(events.map(({ receipt }) => receipt !== undefined)).toEqual([false, false, true]);
    expect(events.at(-1)?.receipt).toMatchObject({
      requestId: "request-1",
      provider: "openai",
      model: "gpt-4o",
      cost: { actualPicoUsd: COST, totalTokens: 34 },
      attempts: [{ outcome: "ok", actualPicoUsd: COST }],
    });
  });

  it("is under way until its stream has ended", async () => {
    const { log, stack, samples } = recorder();
    const reply = await stack(serving)(callOf());
    expect(await samples("llm_requests_in_flight")).toEqual({ 'route="stream"': 1 });
    expect(log).toEqual([]);
    await eventsOf(reply);
    expect(await samples("llm_requests_in_flight")).toEqual({ 'route="stream"': 0 });
  });
});

describe("a call whose attempts go on for others when it is over", () => {
  it("is told at once, and booked with what they come to", async () => {
    const clock = new VirtualClock();
    const metrics = createMetrics();
    const { logger } = createLog("info", { write: () => {} });
    const rows: CallRow[] = [];
    const ended = Promise.withResolvers<void>();
    const attempt = attemptOf();
    const call = callOf();
    const service = record({ logger, metrics }, clock, (row) => rows.push(row))(async ({ tally }) => {
      tally.attempts.push(attempt);
      tally.outlived = ended.promise;
      throw new Failure("cancelled", "left");
    });
    const failure = await service(call).catch((error: Failure) => error);
    expect(failure).toMatchObject({ receipt: { attempts: [{ outcome: "pending" }] } });
    expect(await samplesOf(await metrics.registry.metrics(), "llm_requests_in_flight")).toMatchObject({
      'route="stream"': 0,
    });
    expect(rows).toEqual([]);
    const endedAtMs = clock.now();
    await clock.advance(500);
    Object.assign(attempt, { outcome: "ok", actualPicoUsd: 7n });
    // Of which the others are told too.
    call.tally.served = { kind: "semantic", ...TARGET, costPicoUsd: 9n as PicoUsd };
    ended.resolve();
    await settled();
    expect(rows).toMatchObject([
      {
        outcome: "abandoned",
        endedAtMs,
        receipt: {
          cached: false,
          cost: { actualPicoUsd: 7n, savedPicoUsd: 0n },
          attempts: [{ outcome: "ok" }],
        },
      },
    ]);
  });
});

describe("a call that failed", () => {
  const failure = () => new Failure("provider_overloaded", "busy", { operator: "HTTP 503: come back" });

  it("at its provider is told once, with the receipt of its attempts", async () => {
    const { log, stack, samples } = recorder();
    const thrown = await failing(stack(() => Promise.reject(failure())));
    expect(thrown.receipt).toMatchObject({
      provider: "openai",
      cost: { actualPicoUsd: 0n },
      attempts: [{ outcome: "failed", failureKind: "provider_overloaded" }],
    });
    expect(thrown.recorded).toBe(true);
    expect(log).toMatchObject([
      {
        level: 40,
        outcome: "failed",
        failure_kind: "provider_overloaded",
        failure: "busy",
        operator: "HTTP 503: come back",
        attempts: 1,
      },
    ]);
    const who = 'model="gpt-4o",provider="openai"';
    expect(await samples("llm_requests_total")).toEqual({ [`${who},route="stream",success="false"`]: 1 });
    expect(await samples("llm_failures_total")).toEqual({ 'kind="provider_overloaded",route="stream"': 1 });
    expect(await samples("llm_requests_in_flight")).toEqual({ 'route="stream"': 0 });
  });

  it("in the middle is told once, with what it had cost by then", async () => {
    const { log, stack, samples } = recorder();
    const cut = new Failure("cut", "gone");
    const thrown = await failing(stack(async () => replyOf(spoken(["Hello"]).slice(0, 1), cut)));
    expect(thrown.receipt?.cost).toMatchObject({ provenance: "estimated" });
    const cost = thrown.receipt?.cost?.actualUsd;
    expect(cost).toBeGreaterThan(0);
    expect(log).toMatchObject([{ outcome: "failed", failure_kind: "cut", cost_usd: cost }]);
    expect(Object.values(await samples("llm_cost_usd_total"))).toEqual([cost]);
  });

  it("before any provider was called has no receipt, and counts as a failure alone", async () => {
    const { log, metrics, clock, samples } = recorder();
    const lines: LogEvent[] = [];
    const { logger } = createLog("info", { write: (line: string) => void lines.push(JSON.parse(line)) });
    const refusing = record(
      { logger, metrics },
      clock,
    )(() => Promise.reject(new Failure("rate_limited", "too many")));
    const thrown = await failing(refusing);
    expect(thrown.receipt).toBeUndefined();
    expect(lines).toMatchObject([{ level: 30, failure_kind: "rate_limited", attempts: 0, provider: "" }]);
    expect(log).toEqual([]);
    expect(await samples("llm_failures_total")).toEqual({ 'kind="rate_limited",route="stream"': 1 });
    expect(await samples("llm_requests_total")).toEqual({});
    expect(await samples("llm_requests_in_flight")).toEqual({ 'route="stream"': 0 });
  });

  it("with this gateway, but goes on elsewhere, is told there and not here", async () => {
    const { log, metrics, stack, samples } = recorder();
    const stopping = new Failure("shutting_down", "the gateway is being stopped", { suspended: true });
    const failure = await failing(stack(() => Promise.reject(stopping)));
    expect(failure.suspended).toBe(true);
    expect(failure.receipt?.attempts).toMatchObject([{ outcome: "pending", failureKind: "" }]);
    expect(log).toEqual([]);
    expect(await samples("llm_failures_total")).toEqual({});
    expect((await metrics.inFlight.get()).values.map(({ value }) => value)).toEqual([0]);
  });

  it("because its reader left is told once, as cancelled", async () => {
    const { log, stack, samples } = recorder();
    const reply = await stack(serving)(callOf());
    for await (const _ of reply.events) break;
    expect(log).toMatchObject([{ level: 30, outcome: "abandoned", failure_kind: "cancelled", attempts: 1 }]);
    expect(await samples("llm_failures_total")).toEqual({ 'kind="cancelled",route="stream"': 1 });
    expect(await samples("llm_requests_in_flight")).toEqual({ 'route="stream"': 0 });
  });

  it("after its end changes nothing any more", async () => {
    const { log, stack, samples } = recorder();
    const reply = await stack(serving)(callOf());
    for await (const batch of reply.events) if (batch.at(-1)?.done) break;
    const late = new Failure("cut", "gone");
    await failing(stack(async () => replyOf(spoken(["Hello"]), late)));
    expect(log).toMatchObject([{ outcome: "ok" }, { outcome: "ok" }]);
    expect(await samples("llm_failures_total")).toEqual({});
  });

  it("in a way that nobody foresaw is internal", async () => {
    const { log, stack } = recorder();
    const thrown = await failing(stack(() => Promise.reject(new TypeError("x is not a function"))));
    expect(thrown.message).not.toContain("x is not");
    expect(log).toMatchObject([
      { level: 50, failure_kind: "internal", operator: expect.stringContaining("x is not") },
    ]);
  });
});

describe("names that a caller makes up", () => {
  const unheardOf = (model: string) => ({ provider: "openai", model });
  const notFound: Serve = () => Promise.reject(new Failure("model_not_found", "no such model"));

  it("begin no series of metrics when they fail, each its own", async () => {
    const { metrics, stack } = recorder();
    await failing(stack(notFound, unheardOf("made-up-0")));
    const before = ownSeries(await metrics.registry.metrics());
    for (let i = 1; i < 20; i++) await failing(stack(notFound, unheardOf(`made-up-${i}`)));
    const text = await metrics.registry.metrics();
    expect(ownSeries(text)).toEqual(before);
    expect(text).not.toContain("made-up");
    expect(samplesOf(text, "llm_requests_total")).toEqual({
      'model="unknown",provider="openai",route="stream",success="false"': 20,
    });
  });

  it("are labels once a provider has served them, and an alarm without a price", async () => {
    const { stack, samples } = recorder();
    await eventsOf(await stack(serving, unheardOf("brand-new"))(callOf()));
    const who = 'model="brand-new",provider="openai"';
    expect(await samples("llm_requests_total")).toEqual({ [`${who},route="stream",success="true"`]: 1 });
    expect(await samples("llm_unpriced_attempts_total")).toEqual({ [who]: 1 });
    expect(await samples("llm_cost_usd_total")).toEqual({});
  });

  it("are no alarm when nothing was charged", async () => {
    const { stack, samples } = recorder();
    await failing(stack(notFound, unheardOf("typo")));
    expect(await samples("llm_unpriced_attempts_total")).toEqual({});
  });

  it("stand in the log, without what is a key", async () => {
    const { log, stack } = recorder();
    await failing(stack(notFound, unheardOf("made-up")));
    await failing(stack(notFound, unheardOf("sk-proj-abcdefghijkl")));
    expect(log.map(({ model }) => model)).toEqual(["made-up", "[redacted]"]);
  });
});
