import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { FailureKind } from "../../src/core/failure.ts";
import { Circuits } from "../../src/resilience/circuits.ts";
import { attemptOf, TARGET } from "../support/call.ts";
import { CIRCUIT_RULE } from "../support/circuit.ts";
import { VirtualClock } from "../support/clock.ts";

/** A model that the catalog prices. */
const PRICED = { priceVersion: "2026-01-01" };

let clock: VirtualClock;
let changes: string[];
let circuits: Circuits;
beforeEach(() => {
  clock = new VirtualClock();
  changes = [];
  circuits = new Circuits(clock, (...change) => void changes.push(change.join(" ")));
});

function fail(times: number, failureKind: FailureKind, fields = {}): void {
  for (let n = 0; n < times; n++)
    circuits.settled(attemptOf({ outcome: "failed", failureKind, ...PRICED, ...fields }), CIRCUIT_RULE);
}

describe("an attempt", () => {
  it.each<FailureKind>([
    "provider_error",
    "provider_overloaded",
    "provider_rate_limited",
    "provider_auth",
    "quota_exhausted",
    "provider_timeout",
    "stream_too_slow",
    "cut",
  ])("that failed by %s tells of the provider and of the model", (kind) => {
    fail(10, kind);
    expect(changes).toEqual(["openai  open", "openai gpt-4o open"]);
  });

  it.each<FailureKind>([
    "invalid_request",
    "model_not_found",
    "context_too_long",
    "content_filtered",
    "budget_exceeded",
    "deadline_exceeded",
    "cancelled",
    "hedge_lost",
    "shutting_down",
    "circuit_open",
    "concurrency_limited",
    "internal",
  ])("that failed by %s tells nothing", (kind) => {
    fail(100, kind);
    expect(circuits.provider("openai").figures.attempts).toBe(0);
    expect(changes).toEqual([]);
  });

  it("that was given up tells nothing, whatever it is said to have failed by", () => {
    fail(100, "provider_timeout", { outcome: "abandoned" });
    expect(circuits.provider("openai").figures.attempts).toBe(0);
  });

  it("that took too long is counted as such", () => {
    for (let n = 0; n < 6; n++) circuits.settled(attemptOf({ outcome: "ok" }), CIRCUIT_RULE);
    fail(2, "provider_timeout");
    fail(1, "stream_too_slow");
    expect(circuits.provider("openai").figures).toEqual({ attempts: 9, failures: 3, timeouts: 3 });
    fail(1, "provider_timeout");
    expect(circuits.stateOf(TARGET)).toBe("open");
  });
});

describe("a model", () => {
  it("that fails is left alone, while its provider goes on", () => {
    for (let n = 0; n < 20; n++)
      circuits.settled(attemptOf({ outcome: "ok", model: "gpt-4o-mini" }), CIRCUIT_RULE);
    fail(10, "provider_error");
    expect(changes).toEqual(["openai gpt-4o open"]);
    expect(circuits.stateOf(TARGET)).toBe("open");
    expect(circuits.stateOf({ provider: "openai", model: "gpt-4o-mini" })).toBe("closed");
  });

  it("that the keys may not use is left alone by itself, however often it is asked for", () => {
    fail(100, "provider_permission");
    expect(changes).toEqual(["openai gpt-4o open"]);
    expect(circuits.stateOf({ provider: "openai", model: "gpt-4o-mini" })).toBe("closed");
    fail(100, "provider_permission", { model: "nobody-prices-it", priceVersion: "" });
    expect(changes).toEqual(["openai gpt-4o open"]);
  });

  it("that nobody knows has no circuit, however often it is asked for", () => {
    for (let n = 0; n < 5_000; n++)
      fail(1, "provider_error", { model: `made-up-${n}`, priceVersion: "", provider: `p${n % 3}` });
    expect([...circuits.ofModels()]).toEqual([]);
  });

  it("that is not as usual is remembered, however many others there are", () => {
    fail(10, "provider_error");
    circuits.ofModel({ provider: "openai", model: "by-hand" }).set("closed");
    for (let n = 0; n < 5_000; n++)
      circuits.settled(attemptOf({ outcome: "ok", provider: "other", model: `model-${n}` }), CIRCUIT_RULE);
    expect([...circuits.ofModels()]).toHaveLength(1_000);
    expect(circuits.model(TARGET)?.state).toBe("open");
    expect(circuits.model({ provider: "openai", model: "by-hand" })?.mode).toBe("closed");
  });
});

describe("a stream that speaks", () => {
  const never = new AbortController().signal;
  const attempts = () => [
    circuits.provider("openai").figures.attempts,
    circuits.model(TARGET)?.figures.attempts,
  ];

  it("counts as one that has not failed, so that of a hundred at once three in ten may fail", () => {
    const begun = Array.from({ length: 70 }, () => attemptOf(PRICED));
    for (let at = 0; at < 70; at += 7) {
      for (const attempt of begun.slice(at, at + 7)) circuits.spoke(attempt, never);
      fail(3, "provider_error");
    }
    expect(changes).toEqual([]);
    expect(circuits.provider("openai").figures).toEqual({ attempts: 100, failures: 30, timeouts: 0 });
    for (const attempt of begun) circuits.settled({ ...attempt, outcome: "ok" }, CIRCUIT_RULE);
  });

  it("hides no failure of more than may fail", () => {
    for (let n = 0; n < 40; n++) circuits.spoke(attemptOf(PRICED), never);
    fail(40, "provider_error");
    expect(changes).toEqual([]);
    fail(1, "provider_error");
    expect(changes).toEqual(["openai  open", "openai gpt-4o open"]);
  });

  it("counts once, before its end and after it", () => {
    const attempt = attemptOf(PRICED);
    circuits.spoke(attempt, never);
    circuits.spoke(attempt, never);
    expect(attempts()).toEqual([1, 1]);
    attempt.outcome = "ok";
    circuits.settled(attempt, CIRCUIT_RULE);
    expect(attempts()).toEqual([1, 1]);
    circuits.spoke(attempt, never);
    expect(attempts()).toEqual([1, 1]);
  });

  it("is not counted where its signal has ended already", () => {
    circuits.spoke(attemptOf(PRICED), AbortSignal.abort());
    expect(circuits.provider("openai").figures.attempts).toBe(0);
  });

  it("leaves nothing behind when all have ended, however each did and in whatever order", () => {
    type End = "ok" | "late" | "left" | "lost" | "unread" | "left and told";
    const ends = fc.constantFrom<End>("ok", "late", "left", "lost", "unread", "left and told");
    const streams = fc.array(
      fc.record({
        end: ends,
        model: fc.nat(2),
        sentAt: fc.nat(50),
        spokeAfter: fc.option(fc.nat(50)),
        lasts: fc.nat(50),
      }),
    );
    fc.assert(
      fc.property(streams, (given) => {
        const circuits = new Circuits(new VirtualClock(), () => {});
        const steps = given.flatMap(({ end, model, sentAt, spokeAfter, lasts }) => {
          const attempt = attemptOf({ ...PRICED, model: `model-${model}` });
          const signal = new AbortController();
          const settle = (outcome: string, failureKind = "") =>
            circuits.settled(Object.assign(attempt, { outcome, failureKind }), CIRCUIT_RULE);
          const how: Record<End, () => void> = {
            ok: () => settle("ok"),
            late: () => settle("failed", "cut"),
            left: () => settle("abandoned", "cancelled"),
            lost: () => settle("abandoned", "hedge_lost"),
            unread: () => signal.abort(),
            "left and told": () => {
              signal.abort();
              settle("abandoned", "cancelled");
            },
          };
          return [
            { at: sentAt, run: () => circuits.sent(attempt) },
            ...(spokeAfter === null
              ? []
              : [{ at: sentAt + spokeAfter, run: () => circuits.spoke(attempt, signal.signal) }]),
            // Only what spoke can be left unread.
            {
              at: sentAt + (spokeAfter ?? 0) + lasts,
              run: spokeAfter === null && end === "unread" ? how.lost : how[end],
            },
          ];
        });
        for (const { run } of steps.toSorted((a, b) => a.at - b.at)) run();
        const told = given.filter(({ end }) => end === "ok" || end === "late").length;
        expect(circuits.provider("openai").figures.attempts).toBe(told);
        const ofModels = [...circuits.ofModels()].map(({ circuit }) => circuit.figures.attempts);
        expect(ofModels.reduce((sum, one) => sum + one, 0)).toBe(told);
        // With a single one more under way, six of eleven would be no more than half of all.
        const whole = circuits.provider("openai");
        whole.set("automatic");
        for (let n = 0; n < 5; n++) whole.count("ok", CIRCUIT_RULE);
        for (let n = 0; n < 5; n++) whole.count("failure", CIRCUIT_RULE);
        expect(whole.state).toBe("closed");
        whole.count("failure", CIRCUIT_RULE);
        expect(whole.state).toBe("open");
      }),
    );
  });
});

describe("an attempt that was sent, and not heard of since,", () => {
  it("may still serve, so that of a hundred at once half may be refused before the others speak", () => {
    const all = Array.from({ length: 100 }, () => attemptOf(PRICED));
    for (const attempt of all) circuits.sent(attempt);
    const refuse = (attempt: Attempt) =>
      circuits.settled(
        Object.assign(attempt, { outcome: "failed", failureKind: "provider_error" }),
        CIRCUIT_RULE,
      );
    all.slice(0, 50).forEach(refuse);
    expect(changes).toEqual([]);
    all.slice(50, 51).forEach(refuse);
    expect(changes).toEqual(["openai  open", "openai gpt-4o open"]);
  });

  it("hides no failure any more after five seconds", async () => {
    for (let n = 0; n < 100; n++) circuits.sent(attemptOf(PRICED));
    await clock.advance(4_999);
    fail(50, "provider_error");
    expect(circuits.stateOf(TARGET)).toBe("closed");
    await clock.advance(1);
    fail(1, "provider_error");
    expect(circuits.stateOf(TARGET)).toBe("open");
  });

  it("is not needed for a model that nobody knows to have a circuit", () => {
    for (let n = 0; n < 5_000; n++) circuits.sent(attemptOf({ model: `made-up-${n}` }));
    expect([...circuits.ofModels()]).toEqual([]);
  });
});
