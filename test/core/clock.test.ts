import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LONGEST_DELAY_MS, systemClock } from "../../src/core/clock.ts";

const DAY_MS = 86_400_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("the system's clock waits for longer than the platform's timers can", () => {
  const action = vi.fn();
  const timer = systemClock.after(100 * DAY_MS, action);
  vi.advanceTimersByTime(90 * DAY_MS);
  timer.refresh();
  vi.advanceTimersByTime(100 * DAY_MS - 1);
  expect(action).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(action).toHaveBeenCalledTimes(1);
  systemClock.after(LONGEST_DELAY_MS + 1, action).cancel();
  vi.advanceTimersByTime(100 * DAY_MS);
  expect(action).toHaveBeenCalledTimes(1);
});
