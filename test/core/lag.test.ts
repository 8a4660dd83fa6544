import { expect, it } from "vitest";
import { Lag } from "../../src/core/lag.ts";
import { VirtualClock } from "../support/clock.ts";

it("is what the process was late by, for a second", async () => {
  const clock = new VirtualClock();
  let lateMs = 0;
  const lag = new Lag({
    now: () => clock.now() + lateMs,
    after: (delayMs, action) => clock.after(delayMs, action),
  });
  await clock.advance(1_000);
  expect(lag.ms).toBe(0);
  lateMs = 700;
  expect(lag.ms).toBe(600);
  await clock.advance(100);
  expect(lag.ms).toBe(700);
  await clock.advance(900);
  expect(lag.ms).toBe(700);
  await clock.advance(200);
  expect(lag.ms).toBe(0);
  lag.stop();
  expect(clock.pending).toBe(0);
});
