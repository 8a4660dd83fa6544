import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { Limiter, type LimitRule, type Place } from "../../src/resilience/limiter.ts";
import { settled, VirtualClock } from "../support/clock.ts";

const RULE: LimitRule = { maxInFlight: 2, maxQueued: 3, maxWaitMs: 1_000, adaptive: false };

let clock: VirtualClock;
let limiter: Limiter;
beforeEach(() => {
  clock = new VirtualClock();
  limiter = new Limiter(clock, RULE);
});

function wish(caller = "a", more: { signal?: AbortSignal; deadlineAtMs?: number; patient?: boolean } = {}) {
  return { caller, signal: new AbortController().signal, deadlineAtMs: undefined, patient: true, ...more };
}

describe("a limiter", () => {
  it("lets so many in, and the others as places become free", async () => {
    const first = await limiter.enter(wish());
    await limiter.enter(wish());
    const third = limiter.enter(wish());
    expect([limiter.inFlight, limiter.queued]).toEqual([2, 1]);
    first.leave();
    first.leave();
    await third;
    expect([limiter.inFlight, limiter.queued, clock.pending]).toEqual([2, 0, 0]);
  });

  it("refuses at once when as many wait as may, and those who do not want to wait", async () => {
    for (let n = 0; n < 5; n++) void limiter.enter(wish());
    await settled();
    expect(() => limiter.enter(wish())).toThrow(expect.objectContaining({ reason: "queue_full" }));
    expect(() => limiter.enter(wish("b", { patient: false }))).toThrow(
      expect.objectContaining({ reason: "full" }),
    );
  });

  it("refuses the latest of whoever has most in a full queue, in favour of who has fewer", async () => {
    const told: string[] = [];
    const ask = (caller: string, name: string) =>
      Promise.resolve(limiter.enter(wish(caller))).then(
        (place) => {
          told.push(`${name} in`);
          return place;
        },
        ({ reason }) => void told.push(`${name} ${reason}`),
      );
    const places = [await ask("a", "a1"), await ask("a", "a2")];
    for (const name of ["a3", "a4", "a5"]) void ask("a", name);
    void ask("b", "b1");
    await settled();
    expect(told).toEqual(["a1 in", "a2 in", "a5 queue_full"]);
    // Two of one caller and one of another: who comes now has as many as they may have.
    expect(() => limiter.enter(wish("b"))).toThrow(expect.objectContaining({ reason: "queue_full" }));
    void ask("c", "c1");
    await settled();
    expect(told.slice(3)).toEqual(["a4 queue_full"]);
    expect(() => limiter.enter(wish("d"))).toThrow(expect.objectContaining({ reason: "queue_full" }));
    for (const place of places) place?.leave();
    await settled();
    expect(told.slice(4)).toEqual(["a3 in", "b1 in"]);
    expect([limiter.inFlight, limiter.queued, clock.pending]).toEqual([2, 1, 1]);
  });

  it("refuses after the longest wait", async () => {
    await limiter.enter(wish());
    await limiter.enter(wish());
    const late = Promise.resolve(limiter.enter(wish())).catch((e) => e);
    await clock.advance(999);
    expect(limiter.queued).toBe(1);
    await clock.advance(1);
    expect(await late).toMatchObject({ reason: "wait", retryAfterMs: 1_000 });
    expect(limiter.queued).toBe(0);
  });

  it("refuses at once who cannot be served before the deadline, by how long places were held lately", async () => {
    const deadlineAtMs = clock.now() + 10_000;
    const fill = async () => [await limiter.enter(wish()), await limiter.enter(wish())];
    // Too few to know by.
    const first = await fill();
    const waiting = limiter.enter(wish("b", { deadlineAtMs: clock.now() + 1 }));
    for (const place of first) place.leave();
    (await waiting).leave();
    for (let round = 0; round < 6; round++) {
      const places = await fill();
      await clock.advance(1_400);
      for (const place of places) place.leave();
    }
    // 12 of 15 were held for 1,400 ms: 1,120 on average, and so 560 for each turn at two places.
    expect(clock.now()).toBeLessThan(deadlineAtMs);
    await fill();
    const by = (caller: string, ms: number) =>
      limiter.enter(wish(caller, { deadlineAtMs: clock.now() + ms }));
    expect(() => by("a", 560)).toThrow(expect.objectContaining({ reason: "late" }));
    void Promise.resolve(by("a", 561)).catch(() => {});
    expect(() => by("a", 1_120)).toThrow(expect.objectContaining({ reason: "late" }));
    expect(() => by("b", 1_120)).toThrow(expect.objectContaining({ reason: "late" }));
    void Promise.resolve(by("b", 1_121)).catch(() => {});
    expect(limiter.queued).toBe(2);
  });

  it("does not let in who has left already", () => {
    const signal = AbortSignal.abort(new Error("gone"));
    expect(() => limiter.enter(wish("a", { signal }))).toThrow("gone");
    expect(limiter.inFlight).toBe(0);
  });

  it("forgets a caller who leaves, at once and by its own reason", async () => {
    const leaving = new AbortController();
    await limiter.enter(wish());
    await limiter.enter(wish());
    const waiting = Promise.resolve(limiter.enter(wish("a", { signal: leaving.signal }))).catch((e) => e);
    leaving.abort(new Error("gone"));
    expect(await waiting).toMatchObject({ message: "gone" });
    expect([limiter.queued, clock.pending]).toEqual([0, 0]);
  });

  it("serves each caller in turn, however many calls one of them sends", async () => {
    limiter.keep({ ...RULE, maxInFlight: 1, maxQueued: 100 });
    const order: string[] = [];
    const place = await limiter.enter(wish());
    const passing = async (caller: string, name: string) => {
      const own = await limiter.enter(wish(caller));
      order.push(name);
      own.leave();
    };
    const all = [1, 2, 3, 4].map((n) => passing("greedy", `greedy ${n}`));
    all.push(passing("modest", "modest"));
    place.leave();
    await Promise.all(all);
    expect(order).toEqual(["greedy 1", "modest", "greedy 2", "greedy 3", "greedy 4"]);
  });

  it("takes another rule at once", async () => {
    const places = await Promise.all([limiter.enter(wish()), limiter.enter(wish())]);
    const waiting = limiter.enter(wish());
    limiter.keep({ ...RULE, maxInFlight: 3 });
    await waiting;
    limiter.keep({ ...RULE, maxInFlight: 1 });
    const last = limiter.enter(wish());
    for (const place of places) place.leave();
    expect([limiter.inFlight, limiter.queued]).toEqual([1, 1]);
    (await waiting).leave();
    await last;
  });

  it("says when it is worth trying again by how places became free", async () => {
    const places = [];
    for (let n = 0; n < 60; n++) {
      const place = await limiter.enter(wish());
      place.leave();
    }
    for (let n = 0; n < 2; n++) places.push(await limiter.enter(wish()));
    for (let n = 0; n < 3; n++) void Promise.resolve(limiter.enter(wish())).catch(() => {});
    expect(() => limiter.enter(wish())).toThrow(expect.objectContaining({ retryAfterMs: 4_000 }));
  });
});

it("never lets more in than there are places, and loses nobody", async () => {
  const moves = fc.array(fc.constantFrom("enter", "leave", "abort", "time"), { maxLength: 120 });
  await fc.assert(
    fc.asyncProperty(moves, fc.integer({ min: 1, max: 4 }), async (given, maxInFlight) => {
      const time = new VirtualClock();
      const small = new Limiter(time, { ...RULE, maxInFlight, maxQueued: 5 });
      const inside: Place[] = [];
      let waiting: AbortController[] = [];
      for (const move of given) {
        if (move === "leave") inside.shift()?.leave();
        if (move === "abort") waiting.shift()?.abort(new Error("gone"));
        if (move === "time") await time.advance(700);
        if (move === "enter") {
          const leaving = new AbortController();
          try {
            const entering = small.enter(wish(String(inside.length % 2), { signal: leaving.signal }));
            waiting.push(leaving);
            Promise.resolve(entering).then(
              (place) => {
                inside.push(place);
                waiting = waiting.filter((one) => one !== leaving);
              },
              () => {
                waiting = waiting.filter((one) => one !== leaving);
              },
            );
          } catch {
            expect(small.queued).toBe(5);
          }
        }
        await settled();
        expect(small.inFlight).toBe(inside.length);
        expect(small.inFlight).toBeLessThanOrEqual(maxInFlight);
        expect(small.queued).toBe(waiting.length);
        if (small.queued > 0) expect(small.inFlight).toBe(maxInFlight);
      }
    }),
    { numRuns: 60 },
  );
});
