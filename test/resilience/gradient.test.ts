import { describe, expect, it } from "vitest";
import { mulberry32 } from "../../src/emulator/random.ts";
import { Gradient, LEAST_LIMIT } from "../../src/resilience/gradient.ts";

const MOST = 1_000;

/** A server that serves so many at a time in 100 ms, and has the others wait. Offered as many as the limit allows. */
function load(gradient: Gradient, capacity: number, calls: number): number {
  for (let n = 0; n < calls; n++) {
    const underWay = gradient.limit(MOST);
    gradient.took("model", 100 * Math.max(1, underWay / capacity), underWay, MOST);
  }
  return gradient.limit(MOST);
}

it("settles near what a server can bear, from below and from above", () => {
  for (const start of [LEAST_LIMIT, 20, 500]) {
    const gradient = new Gradient(start);
    for (let n = 0; n < start; n++) gradient.took("model", 100, 0, MOST);
    for (let n = 0; n < 30; n++) gradient.took("model", 100, 0, MOST);
    const limit = load(gradient, 50, 5_000);
    expect(limit).toBeGreaterThanOrEqual(45);
    expect(limit).toBeLessThanOrEqual(150);
  }
});

it("holds there, for as long as more is offered than a server can bear", () => {
  const gradient = new Gradient(20);
  load(gradient, 50, 5_000);
  for (let hours = 0; hours < 8; hours++) {
    const limit = load(gradient, 50, 150_000);
    expect(limit).toBeGreaterThanOrEqual(45);
    expect(limit).toBeLessThanOrEqual(100);
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
  for (let n = 0; n < 1_000; n++) idle.took("model", 100, 3, MOST);
  expect(idle.limit(MOST)).toBe(20);
  const bounded = new Gradient(20);
  for (let n = 0; n < 1_000; n++) bounded.took("model", 100, 30, 30);
  expect(bounded.limit(30)).toBe(30);
});

describe("where nobody queues, grows to its bound", () => {
  const random = mulberry32(7);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const drawn = (medianMs: number, spread: number) => medianMs * Math.exp(spread * normal());
  const limitAfter = (gradient: Gradient, calls: number, next: () => readonly [kind: string, ms: number]) => {
    for (let n = 0; n < calls; n++) {
      const [kind, ms] = next();
      gradient.took(kind, ms, gradient.limit(200), 200);
    }
    return gradient.limit(200);
  };

  it("however much answers differ in length", () => {
    const limit = limitAfter(new Gradient(20), 4_000, () => ["answers", drawn(3_000, 1)]);
    expect(limit).toBeGreaterThan(150);
  });

  it("though whole answers take twenty times as long as a stream's first word", () => {
    const limit = limitAfter(new Gradient(20), 4_000, () =>
      random() < 0.2 ? ["streams", drawn(300, 0.3)] : ["answers", drawn(6_000, 0.5)],
    );
    expect(limit).toBeGreaterThan(150);
  });

  it("again, where they take less than twice as long as they did", () => {
    const gradient = new Gradient(20);
    expect(limitAfter(gradient, 4_000, () => ["answers", drawn(1_000, 0.8)])).toBeGreaterThan(150);
    expect(limitAfter(gradient, 1_000, () => ["answers", drawn(1_800, 0.8)])).toBeLessThan(150);
    expect(limitAfter(gradient, 6_000, () => ["answers", drawn(1_800, 0.8)])).toBeGreaterThan(150);
  });

  it("again, once it is known that all calls take five times as long as they did", () => {
    const gradient = new Gradient(20);
    expect(limitAfter(gradient, 4_000, () => ["answers", drawn(1_000, 0.5)])).toBeGreaterThan(150);
    expect(limitAfter(gradient, 500, () => ["answers", drawn(5_000, 0.5)])).toBeLessThan(50);
    expect(limitAfter(gradient, 4_000, () => ["answers", drawn(5_000, 0.5)])).toBeGreaterThan(150);
  });

  it("from the beginning, though the first answers that end are short ones", () => {
    let low = 0;
    for (let start = 0; start < 30; start++) {
      const gradient = new Gradient(20);
      const held: { readonly ms: number; readonly endMs: number; readonly underWay: number }[] = [];
      let nowMs = 0;
      let least = 20;
      for (let n = 0; n < 2_000; n++) {
        while (held.length < gradient.limit(200)) {
          const ms = drawn(3_000, 1);
          held.push({ ms, endMs: nowMs + ms, underWay: held.length + 1 });
        }
        const [first] = held.sort((a, b) => a.endMs - b.endMs).splice(0, 1);
        nowMs = first?.endMs ?? nowMs;
        gradient.took("answers", first?.ms ?? 0, first?.underWay ?? 0, 200);
        least = Math.min(least, gradient.limit(200));
      }
      if (least < 15) low++;
    }
    expect(low).toBeLessThanOrEqual(5);
  });
});
