import { beforeEach, describe, expect, it } from "vitest";
import type { RoutedCall } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import type { Reply } from "../../src/core/reply.ts";
import { type HedgeMeans, type HedgeSettings, hedge } from "../../src/layers/hedge.ts";
import { Share } from "../../src/resilience/share.ts";
import { Targets } from "../../src/resilience/targets.ts";
import { attemptOf, type CallInit, eventsOf, replyOf, routedCallOf, spoken } from "../support/call.ts";
import { settled, VirtualClock } from "../support/clock.ts";

const SETTINGS: HedgeSettings = { enabled: true, delayMs: 100, maxShare: 1, second: "same" };
const OTHER = { provider: "claude", model: "claude-sonnet-5" };

let clock: VirtualClock;
beforeEach(() => {
  clock = new VirtualClock();
});

interface Waiting {
  readonly call: RoutedCall;
  answer(reply: Reply): void;
  fail(failure: Failure): void;
}

/** Each attempt is answered by hand, and ends by its signal's reason. */
function stage(settings: Partial<HedgeSettings> = {}, given: Partial<HedgeMeans> = {}) {
  const attempts: Waiting[] = [];
  const told: string[] = [];
  const layer = hedge({
    settingsOf: () => ({ ...SETTINGS, ...settings }),
    usualMs: () => undefined,
    shares: new Targets(() => new Share(clock)),
    clock,
    onHedge: (_, outcome) => void told.push(outcome),
    ...given,
  })(
    (call) =>
      new Promise((answer, fail) => {
        call.begun?.(attemptOf());
        attempts.push({ call, answer, fail });
        call.signal.addEventListener("abort", () => fail(call.signal.reason));
      }),
  );
  const call = (init: CallInit = {}) => {
    const reply = layer(routedCallOf(init));
    reply.catch(() => {});
    return reply;
  };
  const at = (index: number) => {
    const attempt = attempts[index];
    if (!attempt) throw new Error(`there is no attempt ${index}`);
    return attempt;
  };
  return { attempts, at, told, call };
}

const wordsOf = async (reply: Promise<Reply>) => (await eventsOf(await reply))[0]?.token;

describe("an attempt that speaks in time", () => {
  it("stays the only one, and leaves nothing behind", async () => {
    const { attempts, at, told, call } = stage();
    const reply = call();
    await clock.advance(99);
    at(0).answer(replyOf(spoken(["first"])));
    expect(await wordsOf(reply)).toBe("first");
    await clock.advance(1_000);
    expect([attempts.length, told, clock.pending]).toEqual([1, [], 0]);
  });

  it("fails by its own failure, without another", async () => {
    const { attempts, at, call } = stage();
    const reply = call();
    await clock.advance(10);
    at(0).fail(new Failure("provider_error", "no"));
    await expect(reply).rejects.toMatchObject({ kind: "provider_error" });
    expect([attempts.length, clock.pending]).toEqual([1, 0]);
  });
});

describe("an attempt that is late", () => {
  it("is overtaken by a second one, and broken off", async () => {
    const { at, told, call } = stage();
    const reply = call();
    await clock.advance(100);
    expect(at(1).call).toMatchObject({ trigger: "hedge", target: { provider: "openai", model: "gpt-4o" } });
    at(1).answer(replyOf(spoken(["second"])));
    expect(await wordsOf(reply)).toBe("second");
    expect(at(0).call.signal.reason).toMatchObject({ kind: "hedge_lost" });
    expect(at(1).call.signal.aborted).toBe(false);
    expect([told, clock.pending]).toEqual([["won"], 0]);
  });

  it("is heard all the same when it speaks first", async () => {
    const { at, told, call } = stage();
    const reply = call();
    await clock.advance(100);
    at(0).answer(replyOf(spoken(["first"])));
    expect(await wordsOf(reply)).toBe("first");
    expect(at(1).call.signal.reason).toMatchObject({ kind: "hedge_lost" });
    expect([told, clock.pending]).toEqual([["lost"], 0]);
  });

  it("is waited for when the second fails, and the other way round", async () => {
    const { at, told, call } = stage();
    const replies = [call(), call()];
    await clock.advance(100);
    at(2).fail(new Failure("unreachable", "no"));
    await settled();
    at(0).answer(replyOf(spoken(["first"])));
    at(1).fail(new Failure("provider_error", "no"));
    await settled();
    at(3).answer(replyOf(spoken(["second"])));
    expect(await Promise.all(replies.map((reply) => wordsOf(reply)))).toEqual(["first", "second"]);
    expect(told.toSorted()).toEqual(["lost", "won"]);
  });

  it("fails by its own failure when both do", async () => {
    const { at, told, call } = stage();
    const reply = call();
    await clock.advance(100);
    at(1).fail(new Failure("unreachable", "no"));
    at(0).fail(new Failure("provider_error", "no"));
    await expect(reply).rejects.toMatchObject({ kind: "provider_error" });
    expect([told, clock.pending]).toEqual([["failed"], 0]);
  });

  it("is left alone by a second that never reached a provider", async () => {
    const told: string[] = [];
    const layer = hedge({
      settingsOf: () => SETTINGS,
      usualMs: () => undefined,
      shares: new Targets(() => new Share(clock)),
      clock,
      onHedge: (_, outcome) => void told.push(outcome),
    })((below) =>
      below.trigger === "hedge"
        ? Promise.reject(new Failure("budget_exceeded", "no"))
        : new Promise((answer) => void clock.after(300, () => answer(replyOf(spoken(["first"]))))),
    );
    const reply = layer(routedCallOf());
    await clock.advance(300);
    expect(await wordsOf(reply)).toBe("first");
    expect(told).toEqual(["refused"]);
  });
});

it("takes what is usual for the delay, and no second attempt while that is not known", async () => {
  const usual = stage({ delayMs: undefined }, { usualMs: (_, streaming) => (streaming ? 250 : undefined) });
  void usual.call({ streaming: true });
  void usual.call({ streaming: false });
  await clock.advance(249);
  expect(usual.attempts).toHaveLength(2);
  await clock.advance(1);
  expect(usual.attempts).toHaveLength(3);
});

it("asks the next target where that is configured, and nobody where there is none", async () => {
  const { attempts, at, call } = stage({ second: "next" });
  void call({ alternatives: [OTHER] });
  void call({ alternatives: [] });
  await clock.advance(100);
  expect(attempts).toHaveLength(3);
  expect(at(2).call.target).toEqual(OTHER);
});

it("is made where the request wants it, and not where it does not", async () => {
  const asking = (wish: boolean) => ({
    request: { messages: [{ role: "user", content: "Hello" }], resilience: { hedge: wish } },
  });
  const on = stage({ enabled: true });
  void on.call(asking(false));
  const off = stage({ enabled: false });
  void off.call(asking(true));
  void off.call();
  await clock.advance(100);
  expect([on.attempts.length, off.attempts.length]).toEqual([1, 3]);
});

it("is not made where the deadline leaves no time for it", async () => {
  const { attempts, call } = stage();
  void call({ deadlineAtMs: clock.now() + 100 });
  await clock.advance(500);
  expect(attempts).toHaveLength(1);
});

it("is made for no more than its share of the calls", async () => {
  const { attempts, told, call } = stage({ maxShare: 0.05 });
  for (let number = 0; number < 100; number++) void call();
  await clock.advance(100);
  expect(attempts).toHaveLength(105);
  expect(told.filter((outcome) => outcome === "capped")).toHaveLength(95);
});

it("ends both at once when the caller leaves", async () => {
  const leaving = new AbortController();
  const { at, told, call } = stage();
  const reply = call({ signal: leaving.signal });
  await clock.advance(100);
  const reason = new Failure("cancelled", "the caller left");
  leaving.abort(reason);
  await expect(reply).rejects.toBe(reason);
  expect([at(0).call.signal.reason, at(1).call.signal.reason]).toEqual([reason, reason]);
  expect([told, clock.pending]).toEqual([["abandoned"], 0]);
});

it("calls it abandoned when the caller leaves before the second reached a provider, and failed when time is up", async () => {
  const told: string[] = [];
  const layer = hedge({
    settingsOf: () => SETTINGS,
    usualMs: () => undefined,
    shares: new Targets(() => new Share(clock)),
    clock,
    onHedge: (_, outcome) => void told.push(outcome),
  })(({ signal }) => new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason))));
  for (const kind of ["cancelled", "deadline_exceeded"] as const) {
    const ending = new AbortController();
    const reply = layer(routedCallOf({ signal: ending.signal })).catch(() => {});
    await clock.advance(100);
    ending.abort(new Failure(kind, kind));
    await reply;
  }
  expect(told).toEqual(["abandoned", "failed"]);
});
