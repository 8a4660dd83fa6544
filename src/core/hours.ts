/** Whole hours of UTC, by which spend is summed and told. */
import type { Period } from "./usage-store.ts";

export const HOUR_MS = 3_600_000;

/** The hour that holds a time, by its first millisecond. */
export function hourOf(timeMs: number): number {
  return timeMs - (timeMs % HOUR_MS);
}

/** The whole hours that hold a period. */
export function hoursOf({ sinceMs, untilMs }: Period): Period {
  return { sinceMs: hourOf(sinceMs), untilMs: Math.ceil(untilMs / HOUR_MS) * HOUR_MS };
}
