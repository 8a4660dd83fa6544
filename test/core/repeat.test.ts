import { expect, test } from "vitest";
import { repeat } from "../../src/core/repeat.ts";
import { VirtualClock } from "../support/clock.ts";

test("does its work again so long after it has ended, and not once it is stopped", async () => {
  const clock = new VirtualClock(0);
  const ends: (() => void)[] = [];
  const repeated = repeat(clock, 100, () => new Promise((resolve) => ends.push(resolve)));
  await clock.advance(99);
  expect(ends).toHaveLength(0);
  await clock.advance(1_000);
  // The first is under way still.
  expect(ends).toHaveLength(1);
  ends[0]?.();
  await clock.advance(100);
  expect(ends).toHaveLength(2);
  let stopped = false;
  const stopping = repeated.stop().then(() => {
    stopped = true;
  });
  await clock.advance(1_000);
  expect(stopped).toBe(false);
  ends[1]?.();
  await stopping;
  await clock.advance(1_000);
  expect(ends).toHaveLength(2);
});
