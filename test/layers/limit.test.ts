import { getEventListeners } from "node:events";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { RoutedCall, Service, Target } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import { type Batch, event } from "../../src/core/reply.ts";
import { limit, type TargetLimit } from "../../src/layers/limit.ts";
import { Limiter, type LimitRule } from "../../src/resilience/limiter.ts";
import { type CallInit, eventsOf, replyOf, routedCallOf, spoken, TARGET } from "../support/call.ts";
import { settled, VirtualClock } from "../support/clock.ts";

const RULE: LimitRule = { maxInFlight: 2, maxQueued: 10, maxWaitMs: 1_000, adaptive: false };

let clock: VirtualClock;
let whole: TargetLimit;
let model: TargetLimit;
let waits: number[];
let refusals: string[];
beforeEach(() => {
  clock = new VirtualClock();
  whole = limitOf("openai", { provider: "openai", model: "" }, RULE);
  model = limitOf("openai/gpt-4o", TARGET, { ...RULE, maxInFlight: 1 });
  waits = [];
  refusals = [];
});

function limitOf(name: string, target: Target, rule: LimitRule): TargetLimit {
  return { name, target, limiter: new Limiter(clock, rule) };
}

function layered(next: Service<RoutedCall>, limits: readonly TargetLimit[] = [whole]): Service<RoutedCall> {
  return limit({
    limitsOf: () => limits,
    clock,
    onWaited: (_, waitedMs) => waits.push(waitedMs),
    onRefused: ({ name }, reason) => refusals.push(`${name} ${reason}`),
  })(next);
}

/** Says a word, and then nothing until its signal ends it. */
const endless: Service<RoutedCall> = async ({ signal }) => {
  async function* events(): AsyncGenerator<Batch> {
    yield [event({ token: "word" })];
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  }
  return { events: events() };
};

const speaking: Service<RoutedCall> = async () => replyOf(spoken(["Hello"]));
const failing =
  (kind: Failure["kind"]): Service<RoutedCall> =>
  () =>
    Promise.reject(new Failure(kind, "no"));

function leaving(init: CallInit = {}) {
  const controller = new AbortController();
  return { controller, call: routedCallOf({ signal: controller.signal, ...init }) };
}

const gone = new Failure("cancelled", "the caller left");

describe("a place", () => {
  it("is held until a stream's events end", async () => {
    const reply = await layered(speaking)(routedCallOf());
    expect(whole.limiter.inFlight).toBe(1);
    await eventsOf(reply);
    expect(whole.limiter.inFlight).toBe(0);
  });

  it("is held until a stream's reader goes away", async () => {
    const reply = await layered(speaking)(routedCallOf());
    for await (const _ of reply.events) break;
    expect(whole.limiter.inFlight).toBe(0);
  });

  it("is given back with a whole answer, which costs the provider nothing more", async () => {
    await layered(speaking)(routedCallOf({ streaming: false }));
    expect(whole.limiter.inFlight).toBe(0);
  });

  it("is given back when the call fails, before the stream or within", async () => {
    await expect(layered(failing("provider_error"))(routedCallOf())).rejects.toThrow("no");
    expect(whole.limiter.inFlight).toBe(0);
    const broken: Service<RoutedCall> = async () => replyOf(spoken(["Hel"]), new Failure("cut", "cut"));
    const reply = await layered(broken)(routedCallOf());
    await expect(eventsOf(reply)).rejects.toThrow("cut");
    expect(whole.limiter.inFlight).toBe(0);
  });

  it("is given back when the caller leaves a reply that was never read", async () => {
    const { controller, call } = leaving();
    await layered(endless)(call);
    controller.abort(gone);
    expect(whole.limiter.inFlight).toBe(0);
    expect(getEventListeners(call.signal, "abort")).toEqual([]);
  });

  it("is needed at the model and at the provider, and the first is given back where there is no second", async () => {
    const below = layered(endless, [model, whole]);
    await whole.limiter.enter({
      caller: "",
      signal: new AbortController().signal,
      deadlineAtMs: undefined,
      patient: true,
    });
    await below(routedCallOf());
    expect([model.limiter.inFlight, whole.limiter.inFlight]).toEqual([1, 2]);
    model.limiter.keep({ ...RULE, maxInFlight: 5 });
    const { controller, call } = leaving();
    const waiting = below(call).catch((error) => error);
    const tired = below(routedCallOf()).catch((error) => error);
    await settled();
    expect([model.limiter.inFlight, whole.limiter.queued]).toEqual([3, 2]);
    controller.abort(gone);
    expect(await waiting).toBe(gone);
    await clock.advance(1_000);
    expect(await tired).toMatchObject({ kind: "concurrency_limited" });
    expect([model.limiter.inFlight, whole.limiter.inFlight, whole.limiter.queued]).toEqual([1, 2, 0]);
    expect(refusals).toEqual(["openai wait"]);
  });
});

describe("a call without a place", () => {
  beforeEach(async () => {
    for (let call = 0; call < 2; call++) await layered(endless)(routedCallOf());
  });

  it("waits for one, and tells how long that took", async () => {
    const { controller, call } = leaving();
    whole.limiter.keep({ ...RULE, maxInFlight: 3 });
    await layered(endless)(call);
    const waiting = layered(speaking)(routedCallOf());
    await clock.advance(300);
    controller.abort(gone);
    await eventsOf(await waiting);
    expect(waits).toEqual([300]);
  });

  it("is told who has too many, how many wait, and when to come back", async () => {
    const waiting = Array.from({ length: 10 }, () => layered(endless)(routedCallOf()).catch(() => {}));
    await settled();
    const refused = layered(endless)(routedCallOf());
    await expect(refused).rejects.toMatchObject({
      kind: "concurrency_limited",
      message: "2 of at most 2 calls to openai are under way, and 10 wait",
      retryAfterMs: 1_000,
    });
    expect(refusals).toEqual(["openai queue_full"]);
    await clock.advance(1_000);
    await Promise.all(waiting);
  });

  it("never waits when it is a second attempt", async () => {
    await expect(layered(endless)(routedCallOf({ trigger: "hedge" }))).rejects.toMatchObject({
      kind: "concurrency_limited",
      message: "2 of at most 2 calls to openai are under way",
    });
    expect([whole.limiter.queued, clock.pending]).toEqual([0, 0]);
  });

  it("goes on when it is one of a batch, which takes hours", async () => {
    const request = { messages: [{ role: "user", content: "Hello" }], parameters: { serviceTier: "batch" } };
    await eventsOf(await layered(speaking)(routedCallOf({ request })));
    expect(whole.limiter.inFlight).toBe(2);
  });
});

it("costs a call nothing where there is no limit", () => {
  const seen: RoutedCall[] = [];
  const call = routedCallOf();
  const next: Service<RoutedCall> = async (given) => {
    seen.push(given);
    return replyOf([]);
  };
  void layered(next, [])(call);
  expect(seen).toEqual([call]);
});

it.each([
  ["provider_rate_limited", true],
  ["provider_overloaded", true],
  ["provider_timeout", true],
  ["provider_bad_request", false],
  ["circuit_open", false],
] as const)("an adaptive limit learns from %s: %s", async (kind, learns) => {
  whole.limiter.keep({ ...RULE, maxInFlight: 100, adaptive: true });
  const before = whole.limiter.limit;
  await expect(layered(failing(kind))(routedCallOf())).rejects.toThrow("no");
  expect(whole.limiter.limit < before).toBe(learns);
});

it("loses no place, whatever becomes of calls", async () => {
  const ends = fc.array(fc.constantFrom("read", "break", "leave", "fail", "cut", "unread", "time"), {
    maxLength: 60,
  });
  await fc.assert(
    fc.asyncProperty(ends, fc.boolean(), async (given, streaming) => {
      const limits = [limitOf("m", TARGET, { ...RULE, maxInFlight: 2 }), limitOf("p", TARGET, RULE)];
      const callers: AbortController[] = [];
      const ending =
        (end: string): Service<RoutedCall> =>
        async (call) => {
          await Promise.resolve();
          if (end === "fail") throw new Failure("provider_error", "no");
          if (end === "cut") return replyOf(spoken(["Hel"]), new Failure("cut", "cut"));
          return end === "leave" || end === "unread" ? endless(call) : speaking(call);
        };
      const run = async (end: string) => {
        const { controller, call } = leaving({ streaming });
        callers.push(controller);
        try {
          const reply = await layered(ending(end), limits)(call);
          if (end === "break") for await (const _ of reply.events) break;
          else if (end !== "unread") await eventsOf(reply);
        } catch {
          // Its place is what counts.
        }
        if (end !== "unread") controller.abort(gone);
      };
      const all: Promise<void>[] = [];
      for (const end of given) {
        if (end === "time") await clock.advance(400);
        else all.push(run(end));
        if (end === "unread") callers[Math.floor(callers.length / 2)]?.abort(gone);
        await settled();
        for (const { limiter } of limits) expect(limiter.inFlight).toBeLessThanOrEqual(2);
      }
      for (const caller of callers) caller.abort(gone);
      await Promise.all(all);
      for (const { limiter } of limits) expect([limiter.inFlight, limiter.queued]).toEqual([0, 0]);
      expect(clock.pending).toBe(0);
    }),
    { numRuns: 100 },
  );
});
