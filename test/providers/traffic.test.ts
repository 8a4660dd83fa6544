import { describe, expect, it } from "vitest";
import type { FailureKind } from "../../src/core/failure.ts";
import { Traffic } from "../../src/providers/traffic.ts";
import { attemptOf } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";

function watched() {
  // A whole step of the minute begins now.
  const clock = new VirtualClock(1_000_000);
  const traffic = new Traffic(clock);
  const ended = (outcome: string, failureKind: FailureKind | "" = "") =>
    traffic.settled(attemptOf({ provider: "p", outcome, failureKind }));
  return { clock, traffic, ended };
}

describe("the calls of the last minute", () => {
  it("are counted by how they ended, for each provider", () => {
    const { traffic, ended } = watched();
    for (let call = 0; call < 3; call++) ended("ok");
    ended("failed", "provider_overloaded");
    traffic.settled(attemptOf({ provider: "other", outcome: "ok" }));
    expect(traffic.recent("p")).toMatchObject({
      attempts: 4,
      failures: 1,
      errorShare: 0.25,
      lastFailureKind: "provider_overloaded",
    });
    expect(traffic.recent("other")).toMatchObject({ attempts: 1, failures: 0, lastFailureKind: "" });
    expect(traffic.recent("nobody")).toBeUndefined();
  });

  it.each<[string, FailureKind]>([
    ["failed", "provider_bad_request"],
    ["failed", "context_too_long"],
    ["failed", "deadline_exceeded"],
    ["failed", "internal"],
    ["failed", "provider_unavailable"],
    ["abandoned", "cancelled"],
    ["abandoned", "shutting_down"],
  ])("are not those that %s by %s, which tell nothing of the provider", (outcome, kind) => {
    const { traffic, ended } = watched();
    ended(outcome, kind);
    expect(traffic.recent("p")).toBeUndefined();
  });

  it.each<FailureKind>([
    "unreachable",
    "cut",
    "malformed_reply",
    "provider_rate_limited",
    "quota_exhausted",
    "provider_auth",
  ])("are those that failed by %s", (kind) => {
    const { traffic, ended } = watched();
    ended("failed", kind);
    expect(traffic.recent("p")).toMatchObject({ failures: 1, lastFailureKind: kind });
  });

  it("are forgotten step by step, and their latest failure is the one that is told", async () => {
    const { clock, traffic, ended } = watched();
    ended("failed", "cut");
    await clock.advance(30_000);
    ended("failed", "unreachable");
    ended("ok");
    expect(traffic.recent("p")).toMatchObject({ attempts: 3, failures: 2, lastFailureKind: "unreachable" });
    await clock.advance(29_999);
    expect(traffic.recent("p")).toMatchObject({ attempts: 3 });
    await clock.advance(1);
    expect(traffic.recent("p")).toMatchObject({ attempts: 2, failures: 1 });
    ended("failed", "cut");
    expect(traffic.recent("p")).toMatchObject({ attempts: 3, failures: 2, lastFailureKind: "cut" });
    await clock.advance(60_000);
    expect(traffic.recent("p")).toBeUndefined();
  });
});
