import { describe, expect, it } from "vitest";
import type { RecentCalls } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { mulberry32 } from "../../src/emulator/random.ts";
import { type Availability, judge, rememberAvailability } from "../../src/providers/availability.ts";
import { VirtualClock } from "../support/clock.ts";

const CLOSED = { state: "closed", mode: "automatic" };

/** A provider whose answers the test gives. */
function asked(random = () => 0.5) {
  const clock = new VirtualClock();
  const answers: { say(): void; fail(error: Error): void }[] = [];
  const availability = rememberAvailability(
    () => new Promise<void>((resolve, reject) => answers.push({ say: resolve, fail: reject })),
    clock,
    random,
  );
  return { clock, answers, availability };
}

describe("an answer", () => {
  it("is kept for no longer where the clock was set back", async () => {
    const { clock, answers, availability } = asked();
    const first = availability();
    answers[0]?.fail(new Error("gone"));
    expect(await first).toMatchObject({ status: "unavailable" });
    clock.step(-3_600_000);
    const next = availability();
    answers[1]?.say();
    expect(await next).toMatchObject({ status: "available" });
  });

  it("is shared by all who ask, bears its time, and is kept for half a minute", async () => {
    const { clock, answers, availability } = asked();
    const both = Promise.all([availability(), availability()]);
    await clock.advance(500);
    answers[0]?.say();
    const answer: Availability = { status: "available", reason: "", checkedAtMs: clock.now() };
    expect(await both).toEqual([answer, answer]);
    await clock.advance(29_500);
    expect(await availability()).toEqual(answer);
    expect(answers).toHaveLength(1);
    await clock.advance(1);
    const next = availability();
    answers[1]?.fail(new Error("x"));
    expect(await next).toMatchObject({ status: "unavailable", checkedAtMs: clock.now() });
    expect(clock.pending).toBe(0);
  });

  it("is waited for two seconds and no longer", async () => {
    const { clock, answers, availability } = asked();
    const first = availability();
    await clock.advance(2_000);
    expect(await first).toEqual({ status: "unchecked", reason: "it did not answer within 2000 ms" });
    const second = availability();
    expect(answers).toHaveLength(1);
    answers[0]?.say();
    expect(await second).toMatchObject({ status: "available" });
    await clock.advance(31_000);
    const third = availability();
    await clock.advance(2_000);
    // What it said before, with the time when it did.
    expect(await third).toEqual({ status: "available", reason: "", checkedAtMs: clock.now() - 33_000 });
  });
});

describe("how long it is kept", () => {
  it.each([
    [0, 24_000],
    [0.25, 27_000],
    [1 - Number.EPSILON, 36_000],
  ])("is drawn anew each time: by %d, %d ms", async (drawn, keptMs) => {
    const { clock, answers, availability } = asked(() => drawn);
    for (let asks = 1; asks <= 3; asks++) {
      const answer = availability();
      answers[asks - 1]?.say();
      await answer;
      await clock.advance(keptMs - 1);
      await availability();
      expect(answers).toHaveLength(asks);
      await clock.advance(2);
    }
  });

  it("spreads those who first asked at once over the time that it may take", async () => {
    const clock = new VirtualClock();
    const random = mulberry32(7);
    const asksAt: number[] = [];
    const ask = async () => void asksAt.push(clock.now());
    const many = Array.from({ length: 200 }, () => rememberAvailability(ask, clock, random));
    const start = clock.now();
    for (let second = 0; second <= 36; second++) {
      await Promise.all(many.map((availability) => availability()));
      await clock.advance(1_000);
    }
    const again = asksAt.slice(many.length).map((atMs) => atMs - start);
    expect(again).toHaveLength(many.length);
    expect(Math.min(...again)).toBeGreaterThanOrEqual(24_000);
    const busiest = Math.max(...again.map((atMs) => again.filter((other) => other === atMs).length));
    expect(busiest).toBeLessThan(many.length / 5);
  });
});

describe("what a provider says of itself, beside how calls went,", () => {
  const recent = (attempts: number, failures: number): RecentCalls => ({
    $typeName: "llmgateway.v1.RecentCalls",
    attempts,
    failures,
    errorShare: failures / attempts,
    lastFailureKind: failures > 0 ? "cut" : "",
  });
  const said = (status: Availability["status"]): Availability => ({ status, reason: "", checkedAtMs: 7 });

  it.each<[Availability["status"], RecentCalls | undefined, Availability["status"]]>([
    ["available", undefined, "available"],
    ["available", recent(10, 4), "available"],
    ["available", recent(4, 4), "available"],
    ["available", recent(10, 5), "degraded"],
    ["unchecked", undefined, "unchecked"],
    ["unchecked", recent(10, 1), "unchecked"],
    ["unchecked", recent(10, 9), "degraded"],
    ["unavailable", undefined, "unavailable"],
    ["unavailable", recent(3, 3), "unavailable"],
    ["unavailable", recent(10, 5), "unavailable"],
    ["unavailable", recent(10, 4), "degraded"],
    ["off", recent(10, 9), "off"],
  ])("%s and %j is %s", (status, calls, expected) => {
    expect(judge(said(status), calls, CLOSED)).toMatchObject({ status: expected, checkedAtMs: 7 });
  });

  it("says why it is degraded", () => {
    expect(judge(said("available"), recent(8, 5), CLOSED).reason).toBe(
      "5 of the last minute's 8 calls failed, the latest by cut",
    );
    expect(judge({ status: "unavailable", reason: "403" }, recent(8, 0), CLOSED).reason).toBe(
      "calls succeed, but its check does not: 403",
    );
  });

  it.each([
    ["available", "automatic", undefined, "degraded", "its circuit is open, since too many calls failed"],
    ["unchecked", "open", undefined, "degraded", "its circuit was opened by hand, and nothing is sent to it"],
    ["available", "automatic", recent(8, 8), "degraded", "its circuit is open, since too many calls failed"],
    ["unavailable", "automatic", recent(8, 8), "unavailable", ""],
    ["off", "open", undefined, "off", ""],
  ] as const)("%s with a circuit that is open by %s is told so", (status, mode, calls, expected, reason) => {
    const judged = judge(said(status), calls, { state: "open", mode });
    expect([judged.status, judged.reason]).toEqual([expected, reason]);
  });
});
