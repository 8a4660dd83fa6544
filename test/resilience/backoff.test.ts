import fc from "fast-check";
import { expect, it } from "vitest";
import { waitBefore } from "../../src/resilience/backoff.ts";

const BACKOFF = { baseMs: 250, maxMs: 5_000 };

it("draws from nothing to a bound that doubles, up to the longest wait", () => {
  const most = [1, 2, 3, 4, 5, 6, 7].map((retry) => waitBefore(retry, undefined, BACKOFF, () => 1));
  expect(most).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
  expect(waitBefore(3, undefined, BACKOFF, () => 0)).toBe(0);
});

it("waits no less than the provider asks for, and not at all for more than is worth it", () => {
  const asked = fc.integer({ min: 0, max: 20_000 });
  const drawn = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), asked, drawn, (retry, askedMs, random) => {
      const waitMs = waitBefore(retry, askedMs, BACKOFF, () => random);
      if (askedMs > BACKOFF.maxMs) expect(waitMs).toBeUndefined();
      else {
        expect(waitMs).toBeGreaterThanOrEqual(askedMs);
        expect(waitMs).toBeLessThanOrEqual(BACKOFF.maxMs);
      }
    }),
  );
});
