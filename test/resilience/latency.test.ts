import { beforeEach, describe, expect, it } from "vitest";
import { Latencies } from "../../src/resilience/latency.ts";
import { attemptOf, TARGET } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";

let clock: VirtualClock;
let latencies: Latencies;
beforeEach(() => {
  clock = new VirtualClock();
  latencies = new Latencies(clock);
});

describe("quantiles of a target's times", () => {
  it("are right to one in a hundred, for streams and for whole answers apart", () => {
    for (let ms = 1; ms <= 1_000; ms++) latencies.observe(TARGET, true, ms);
    expect(latencies.quantile(TARGET, true, 0.95)).toBeGreaterThan(940);
    expect(latencies.quantile(TARGET, true, 0.95)).toBeLessThan(960);
    expect(latencies.quantile(TARGET, false, 0.95)).toBeUndefined();
  });

  it("mean nothing below twenty of them", () => {
    for (let number = 0; number < 19; number++) latencies.observe(TARGET, true, 10);
    expect(latencies.quantile(TARGET, true, 0.5)).toBeUndefined();
    latencies.observe(TARGET, true, 10);
    expect(latencies.quantile(TARGET, true, 0.5)).toBeCloseTo(10, 0);
  });

  it("forget what is older than ten minutes", async () => {
    for (let number = 0; number < 100; number++) latencies.observe(TARGET, true, 10);
    await clock.advance(301_000);
    for (let number = 0; number < 200; number++) latencies.observe(TARGET, true, 100);
    expect(latencies.quantile(TARGET, true, 0.1)).toBeCloseTo(10, 0);
    await clock.advance(301_000);
    expect(latencies.quantile(TARGET, true, 0.1)).toBeCloseTo(100, -1);
    await clock.advance(3_600_000);
    expect(latencies.quantile(TARGET, true, 0.1)).toBeUndefined();
  });
});

it("hears of first words, of whole answers, and of those that were overtaken", () => {
  const feed = (attempt: Parameters<typeof attemptOf>[0], streaming: boolean) => {
    for (let number = 0; number < 20; number++) latencies.settled(attemptOf(attempt), streaming);
    return latencies.quantile(TARGET, streaming, 0.5);
  };
  expect(feed({ outcome: "failed", failureKind: "unreachable", latencyMs: 5 }, true)).toBeUndefined();
  expect(feed({ outcome: "ok", firstEventMs: 40, latencyMs: 900 }, true)).toBeCloseTo(40, 0);
  expect(feed({ outcome: "ok", firstEventMs: 40, latencyMs: 900 }, false)).toBeCloseTo(900, -2);
  latencies = new Latencies(clock);
  expect(feed({ outcome: "abandoned", failureKind: "hedge_lost", latencyMs: 300 }, true)).toBeCloseTo(
    300,
    -1,
  );
  latencies = new Latencies(clock);
  expect(feed({ outcome: "abandoned", failureKind: "cancelled", latencyMs: 300 }, true)).toBeUndefined();
});
