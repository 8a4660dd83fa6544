import { describe, expect, it } from "vitest";
import { hashOf, pull } from "../../src/core/rendezvous.ts";

const SESSIONS = Array.from({ length: 20_000 }, (_, index) => hashOf(`acme\nconversation-${index}`));

/** How many sessions go to each place, by its index. */
function shares(weights: readonly number[]): number[] {
  const counts = weights.map(() => 0);
  for (const session of SESSIONS) {
    const pulls = weights.map((weight, place) => pull(session, hashOf(`provider/${place}`), weight));
    const winner = pulls.indexOf(Math.max(...pulls));
    counts[winner] = (counts[winner] ?? 0) + 1;
  }
  return counts;
}

describe("sessions are spread by weight", () => {
  it.each([[[1, 1]], [[1, 1, 1, 1, 1, 1, 1]], [[70, 20, 10]], [[0.5, 0.25, 0.25]], [[1, 99]]])(
    "%j",
    (weights) => {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const counts = shares(weights);
      const chiSquare = counts.reduce((sum, count, place) => {
        const expected = (SESSIONS.length * (weights[place] ?? 0)) / total;
        return sum + (count - expected) ** 2 / expected;
      }, 0);
      // Far above the 0.9999 quantile for at most six degrees of freedom.
      expect(chiSquare).toBeLessThan(28);
    },
  );
});

it("leaves a place without weight to the others, unless there is no other", () => {
  expect(shares([1, 0])).toEqual([SESSIONS.length, 0]);
  expect(pull(1, 2, 0)).toBeGreaterThanOrEqual(0);
});

it("hashes texts that differ little to numbers that differ much", () => {
  const hashes = Array.from({ length: 10_000 }, (_, index) => hashOf(`session-${index}`));
  expect(new Set(hashes).size).toBeGreaterThan(9_990);
  const low = hashes.filter((hash) => (hash & 1) === 1).length;
  const high = hashes.filter((hash) => hash >= 2 ** 31).length;
  for (const count of [low, high]) expect(Math.abs(count - 5_000)).toBeLessThan(200);
});
