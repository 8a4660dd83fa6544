import { beforeEach, describe, expect, it } from "vitest";
import type { RoutedCall, Target, Trigger } from "../../src/core/call.ts";
import { Failure, type FailureKind } from "../../src/core/failure.ts";
import { type RetryMeans, type RetryRule, retry } from "../../src/layers/retry.ts";
import { Share } from "../../src/resilience/share.ts";
import { Targets } from "../../src/resilience/targets.ts";
import { type CallInit, eventsOf, replyOf, routedCallOf, spoken, TARGET } from "../support/call.ts";
import { settled, VirtualClock } from "../support/clock.ts";

let clock: VirtualClock;
beforeEach(() => {
  clock = new VirtualClock();
});

const RULE: RetryRule = { max: 2, baseMs: 400, maxMs: 5_000 };

/** Fails with each of these in turn, and serves then. */
function stage(failures: readonly Failure[], given: Partial<RetryMeans> & { rule?: RetryRule } = {}) {
  const seen: RoutedCall[] = [];
  const told: string[] = [];
  const { rule = RULE } = given;
  const layer = retry({
    settingsOf: () => ({ rule: () => rule, budget: { ratio: 0.2, least: 10 } }),
    budgets: new Targets(() => new Share(clock)),
    isShut: () => false,
    clock,
    random: () => 0.5,
    onRetry: (_, { kind }, waitMs) => void told.push(`${kind} ${waitMs}`),
    onSpent: () => void told.push("spent"),
    ...given,
  })(async (call) => {
    const failure = failures[seen.length];
    seen.push(call);
    if (failure) throw failure;
    return replyOf(spoken(["Hello"]));
  });
  const call = (init: CallInit = {}) => layer(routedCallOf(init));
  return { seen, told, call };
}

const failing = (kind: FailureKind, retryAfterMs?: number) =>
  new Failure(kind, kind, retryAfterMs === undefined ? {} : { retryAfterMs });
const thrice = (kind: FailureKind) => [failing(kind), failing(kind), failing(kind)];

describe("a failure that may pass", () => {
  it("is met by asking again, after waits that grow", async () => {
    const { seen, told, call } = stage([failing("provider_error"), failing("unreachable")]);
    const reply = call();
    await clock.advance(199);
    expect(seen).toHaveLength(1);
    await clock.advance(1);
    expect(seen).toHaveLength(2);
    await clock.advance(400);
    expect(await eventsOf(await reply)).toHaveLength(2);
    expect(seen.map(({ trigger }) => trigger)).toEqual(["first", "retry", "retry"]);
    expect(told).toEqual(["provider_error 200", "unreachable 400"]);
    expect(clock.pending).toBe(0);
  });

  it("is told when it does not pass within so many tries", async () => {
    const { seen, call } = stage(thrice("provider_error"));
    const ended = call().catch((error) => error);
    await clock.advance(10_000);
    expect(await ended).toMatchObject({ kind: "provider_error" });
    expect(seen).toHaveLength(3);
  });

  it.each([
    [0, 1],
    [1, 2],
    [9, 3],
  ])(
    "is tried %s times more at most where the request says so, which is never above the configuration",
    async (maxRetries, calls) => {
      const { seen, call } = stage(thrice("provider_error"));
      const request = { messages: [{ role: "user", content: "Hello" }], resilience: { maxRetries } };
      const ended = call({ request }).catch(() => {});
      await clock.advance(10_000);
      await ended;
      expect(seen).toHaveLength(calls);
    },
  );

  it("waits as long as the provider wants, and not at all for longer than is worth it", async () => {
    const { seen, call } = stage([failing("provider_rate_limited", 3_000)]);
    const reply = call();
    await clock.advance(2_999);
    expect(seen).toHaveLength(1);
    await clock.advance(500);
    expect(seen).toHaveLength(2);
    await eventsOf(await reply);
    const late = stage([failing("provider_rate_limited", 6_000)]);
    await expect(late.call()).rejects.toMatchObject({ kind: "provider_rate_limited" });
    expect(clock.pending).toBe(0);
  });

  it("is left to the next target, where waiting takes longer than asking that", async () => {
    const alternatives = [{ provider: "claude", model: "claude-sonnet-5" }];
    const { seen, call } = stage([failing("provider_rate_limited", 1_500)]);
    await expect(call({ alternatives })).rejects.toMatchObject({ kind: "provider_rate_limited" });
    expect(seen).toHaveLength(1);
    const soon = stage([failing("provider_error")]);
    const reply = soon.call({ alternatives });
    await clock.advance(200);
    await eventsOf(await reply);
  });

  it("is told at once where it shut the circuit, without a wait for what would be refused", async () => {
    const budget = new Share(clock);
    const isShut = (target: Target) => target.model === TARGET.model;
    const { seen, told, call } = stage([failing("provider_error")], {
      isShut,
      budgets: new Targets(() => budget),
    });
    await expect(call()).rejects.toMatchObject({ kind: "provider_error" });
    expect([seen.length, told, clock.pending]).toEqual([1, [], 0]);
    for (let n = 0; n < 3; n++) expect(budget.take({ ratio: 0, least: 3 })).toBe(true);
  });

  it("is not waited for beyond the deadline", async () => {
    const { seen, call } = stage([failing("provider_error")]);
    const call_ = call({ deadlineAtMs: clock.now() + 200 });
    await expect(call_).rejects.toMatchObject({ kind: "provider_error" });
    expect(seen).toHaveLength(1);
  });
});

it.each<FailureKind>([
  "provider_bad_request",
  "context_too_long",
  "budget_exceeded",
  "provider_auth",
  "quota_exhausted",
  "circuit_open",
  "concurrency_limited",
  "cancelled",
  "internal",
])("does not ask again after %s", async (kind) => {
  const { seen, call } = stage(thrice(kind));
  await expect(call()).rejects.toMatchObject({ kind });
  expect(seen).toHaveLength(1);
});

it("makes nothing of a hedge, and of what goes on without this process", async () => {
  const hedge = stage(thrice("provider_error"));
  await expect(hedge.call({ trigger: "hedge" })).rejects.toMatchObject({ kind: "provider_error" });
  const suspended = stage([new Failure("provider_timeout", "later", { suspended: true })]);
  await expect(suspended.call()).rejects.toMatchObject({ suspended: true });
});

it("leaves to its job what goes through a provider's batches, of which nobody knows whether it was taken", async () => {
  const { seen, call } = stage(thrice("cut"));
  const request = { messages: [{ role: "user", content: "Hello" }], parameters: { serviceTier: "batch" } };
  await expect(call({ request, streaming: false })).rejects.toMatchObject({ kind: "cut" });
  expect(seen).toHaveLength(1);
  expect(clock.pending).toBe(0);
});

it("stops at once when the caller leaves while it waits", async () => {
  const leaving = new AbortController();
  const { seen, call } = stage(thrice("provider_error"));
  const ended = call({ signal: leaving.signal }).catch((error) => error);
  await settled();
  const reason = new Failure("cancelled", "the caller left");
  leaving.abort(reason);
  expect(await ended).toBe(reason);
  expect(seen).toHaveLength(1);
  expect(clock.pending).toBe(0);
});

it("adds no more than its share to what a failing target has to bear", async () => {
  const budgets = new Targets(() => new Share(clock));
  const settingsOf = () => ({ rule: () => ({ ...RULE, baseMs: 0 }), budget: { ratio: 0.2, least: 3 } });
  const always = Array.from({ length: 5_000 }, () => failing("provider_error"));
  const { seen, told, call } = stage(always, { budgets, settingsOf });
  for (let number = 0; number < 1_000; number++) {
    const ended = call().catch(() => {});
    await clock.advance(10);
    await ended;
  }
  expect(seen.length).toBeLessThanOrEqual(1_200);
  expect(seen.length).toBeGreaterThan(1_150);
  expect(told).toContain("spent");
});

it("takes its share of what callers ask of a target, and not of what the gateway asks besides", async () => {
  const retriesWith = async (trigger: Trigger) => {
    const budgets = new Targets(() => new Share(clock));
    const settingsOf = () => ({ rule: () => ({ ...RULE, baseMs: 0 }), budget: { ratio: 0.1, least: 0 } });
    const serving = stage([], { budgets, settingsOf });
    for (let n = 0; n < 40; n++) await serving.call({ trigger });
    const { told, call } = stage(thrice("provider_error"), { budgets, settingsOf });
    const ended = call().catch(() => {});
    await clock.advance(10);
    await ended;
    return told;
  };
  expect(await retriesWith("hedge")).toEqual(["spent"]);
  expect(await retriesWith("fallback")).toEqual(["provider_error 0", "provider_error 0"]);
});
