import { expect, it } from "vitest";
import type { LimitRule } from "../../src/resilience/limiter.ts";
import { Limiters } from "../../src/resilience/limiters.ts";
import { settled, VirtualClock } from "../support/clock.ts";

const RULE: LimitRule = { maxInFlight: 1, maxQueued: 10, maxWaitMs: 1_000, adaptive: false };
const WISH = {
  caller: "a",
  signal: new AbortController().signal,
  deadlineAtMs: undefined,
  patient: true,
};

it("keeps who is under way when a limit changes, is lifted, and comes back", async () => {
  const limiters = new Limiters(new VirtualClock());
  const limit = { provider: "openai", model: "", rule: RULE };
  const limiter = limiters.of(limit);
  await limiter.enter(WISH);
  const waiting = [limiter.enter(WISH), limiter.enter(WISH)];
  expect(limiters.of({ ...limit, rule: { ...RULE, maxInFlight: 2 } })).toBe(limiter);
  await waiting[0];
  expect([limiter.inFlight, limiter.queued]).toEqual([2, 1]);

  limiters.only(new Set());
  await waiting[1];
  await limiter.enter(WISH);
  expect([limiter.inFlight, limiter.queued]).toEqual([4, 0]);
  expect([...limiters.all()]).toEqual([]);

  limiters.only(new Set([limiters.of({ ...limit, rule: { ...RULE, maxInFlight: 5 } })]));
  await limiter.enter(WISH);
  void limiter.enter(WISH);
  await settled();
  expect([...limiters.all()].map(({ limiter: { inFlight, queued } }) => [inFlight, queued])).toEqual([
    [5, 1],
  ]);
});
