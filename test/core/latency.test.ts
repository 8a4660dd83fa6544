/** Percentiles read off buckets are near what they are of. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { LATENCY_BOUNDS_MS, LATENCY_BUCKETS, percentile } from "../../src/core/latency.ts";

function bucketed(times: readonly number[]): number[] {
  const counts = Array.from({ length: LATENCY_BUCKETS }, () => 0);
  for (const time of times) {
    const bucket = LATENCY_BOUNDS_MS.findIndex((bound) => time <= bound);
    const at = bucket < 0 ? LATENCY_BUCKETS - 1 : bucket;
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

it("has none of nothing", () => {
  expect(percentile(bucketed([]), 0.5)).toBeUndefined();
});

it("is within what is said of any times above 10 ms", () => {
  const times = fc.array(fc.integer({ min: 10, max: 630_000 }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(times, fc.constantFrom(0.5, 0.95, 0.99), (all, share) => {
      const exact = all.sort((a, b) => a - b)[Math.ceil(share * all.length) - 1] ?? 0;
      const told = percentile(bucketed(all), share) ?? 0;
      expect(Math.max(told / exact, exact / told)).toBeLessThanOrEqual(1.61);
    }),
  );
});

it("is near by where there are many", () => {
  const times = Array.from({ length: 10_000 }, (_, index) => 300 * 1.0004 ** index);
  for (const share of [0.5, 0.95, 0.99]) {
    const exact = times[share * times.length - 1] ?? 0;
    expect(Math.abs((percentile(bucketed(times), share) ?? 0) / exact - 1)).toBeLessThan(0.05);
  }
});

it("counts what took longer than all bounds as the last of them", () => {
  expect(percentile(bucketed([700_000, 9e9]), 0.5)).toBe(630_000);
});
