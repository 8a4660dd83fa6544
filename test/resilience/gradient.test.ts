import { expect, it } from "vitest";
import { Gradient, LEAST_LIMIT } from "../../src/resilience/gradient.ts";

const MOST = 1_000;

/** A server that serves so many at a time in 100 ms, and has the others wait. Offered as many as the limit allows. */
function load(gradient: Gradient, capacity: number, calls: number): number {
  for (let n = 0; n < calls; n++) {
    const underWay = gradient.limit(MOST);
    gradient.took(100 * Math.max(1, underWay / capacity), underWay, MOST);
  }
  return gradient.limit(MOST);
}

it("settles near what a server can bear, from below and from above", () => {
  for (const start of [LEAST_LIMIT, 20, 500]) {
    const gradient = new Gradient(start);
    gradient.took(100, 0, MOST);
    const limit = load(gradient, 50, 2_000);
    expect(limit).toBeGreaterThanOrEqual(45);
    expect(limit).toBeLessThanOrEqual(150);
  }
});

it("gives way when the other side says that it is too much, and comes back", () => {
  const gradient = new Gradient(100);
  for (let n = 0; n < 50; n++) gradient.refused(MOST);
  expect(gradient.limit(MOST)).toBe(LEAST_LIMIT);
  expect(load(gradient, 50, 500)).toBeGreaterThan(40);
});

it("does not grow while nobody comes near it, and never beyond its bound", () => {
  const idle = new Gradient(20);
  for (let n = 0; n < 1_000; n++) idle.took(100, 3, MOST);
  expect(idle.limit(MOST)).toBe(20);
  const bounded = new Gradient(20);
  for (let n = 0; n < 1_000; n++) bounded.took(100, 30, 30);
  expect(bounded.limit(30)).toBe(30);
});
