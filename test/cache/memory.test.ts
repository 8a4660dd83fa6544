/** Memory against a list that does the same slowly: what is kept, in which order it goes, and what it counts. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Eviction } from "../../src/cache/answers.ts";
import { type Bounds, Memory } from "../../src/cache/memory.ts";
import { VirtualClock } from "../support/clock.ts";
import { entryOf } from "./entries.ts";

const WIDE: Bounds = { maxEntries: 100, maxBytes: 1_000_000 };

type Step =
  | { readonly do: "keep"; readonly key: string; readonly size: number; readonly ttlMs: number }
  | { readonly do: "find"; readonly key: string }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "rebound"; readonly maxEntries: number; readonly maxBytes: number };

const keys = fc.constantFrom(..."abcdefgh");
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("keep" as const),
      key: keys,
      size: fc.integer({ min: 1, max: 120 }),
      ttlMs: fc.integer({ min: 0, max: 50 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("find" as const), key: keys }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 20 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("rebound" as const),
      maxEntries: fc.integer({ min: 1, max: 6 }),
      maxBytes: fc.integer({ min: 50, max: 300 }),
    }),
  },
);

interface Kept {
  readonly key: string;
  readonly size: number;
  readonly expiresAtMs: number;
}

/** The oldest first. */
class Slow {
  list: Kept[] = [];
  bounds: Bounds = { maxEntries: 4, maxBytes: 200 };

  keep(one: Kept, nowMs: number): void {
    this.list = this.list.filter(({ key }) => key !== one.key);
    if (one.size > this.bounds.maxBytes || one.expiresAtMs <= nowMs) return;
    for (let swept = 0; swept < 2 && this.list[0] && this.list[0].expiresAtMs <= nowMs; swept++)
      this.list.shift();
    this.list.push(one);
    this.shrink();
  }

  find(key: string, nowMs: number): boolean {
    const one = this.list.find((kept) => kept.key === key);
    this.list = this.list.filter((kept) => kept !== one);
    if (!one || one.expiresAtMs <= nowMs) return false;
    this.list.push(one);
    return true;
  }

  shrink(): void {
    while (this.bytes > this.bounds.maxBytes || this.list.length > this.bounds.maxEntries) this.list.shift();
  }

  get bytes(): number {
    return this.list.reduce((sum, { size }) => sum + size, 0);
  }
}

it("keeps what was asked for last, and counts it, whatever comes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 80 }), async (all) => {
      const clock = new VirtualClock(0);
      const slow = new Slow();
      const memory = new Memory(clock, slow.bounds);
      for (const step of all) {
        if (step.do === "pass") await clock.advance(step.ms);
        if (step.do === "find")
          expect(memory.find(step.key) !== undefined).toBe(slow.find(step.key, clock.now()));
        if (step.do === "rebound") {
          slow.bounds = step;
          slow.shrink();
          memory.rebound(step);
        }
        if (step.do === "keep") {
          const expiresAtMs = clock.now() + step.ttlMs;
          slow.keep({ ...step, expiresAtMs }, clock.now());
          memory.keep(step.key, { ...entryOf(step.key, { expiresAtMs }), bytes: step.size });
        }
        expect(memory.held).toEqual({ entries: slow.list.length, bytes: slow.bytes });
      }
    }),
    { numRuns: 300 },
  );
});

describe("an answer goes", () => {
  const evicted = (bounds: Bounds = WIDE) => {
    const clock = new VirtualClock();
    const reasons: Eviction[] = [];
    return { clock, reasons, memory: new Memory(clock, bounds, (why) => reasons.push(why)) };
  };

  it("when there are too many", () => {
    const { memory, reasons } = evicted({ ...WIDE, maxEntries: 2 });
    for (const key of ["a", "b", "c"]) memory.keep(key, entryOf(key));
    expect([memory.find("a"), reasons, memory.figures().evictions.entries]).toEqual([
      undefined,
      ["entries"],
      1,
    ]);
  });

  it("when they are too large together, as many as need be", () => {
    const small = entryOf("a").bytes;
    const { memory, reasons } = evicted({ maxEntries: 100, maxBytes: 3 * small });
    for (const key of ["a", "b", "c"]) memory.keep(key, entryOf(key));
    memory.keep("d", entryOf("d", { text: "x".repeat(small) }));
    expect(reasons).toEqual(["bytes", "bytes"]);
    expect(memory.figures()).toMatchObject({ entries: 2, evictions: { bytes: 2 } });
    expect(memory.held.bytes).toBeLessThanOrEqual(3 * small);
  });

  it("once its time is over, which the next look finds, or the next that is kept", async () => {
    const { memory, reasons, clock } = evicted();
    const expiresAtMs = clock.now() + 10;
    for (const key of ["a", "b", "c", "d"]) memory.keep(key, entryOf(key, { expiresAtMs }));
    await clock.advance(9);
    expect(memory.find("a")).toBeDefined();
    await clock.advance(1);
    expect(memory.find("a")).toBeUndefined();
    expect(reasons).toEqual(["expired"]);
    memory.keep("e", entryOf("e"));
    expect([reasons, memory.held.entries]).toEqual([["expired", "expired", "expired"], 2]);
  });

  it("when another takes its place, or an operator clears it", async () => {
    const { memory, reasons } = evicted();
    memory.keep("a", entryOf("a", { text: "long ".repeat(100) }));
    memory.keep("a", entryOf("a"));
    expect(memory.held).toEqual({ entries: 1, bytes: entryOf("a").bytes });
    expect(await memory.clear({})).toBe(1);
    expect([reasons, memory.held]).toEqual([["replaced", "cleared"], { entries: 0, bytes: 0 }]);
  });

  it("alone, when it is larger than all that may be kept", () => {
    const { memory } = evicted({ maxEntries: 10, maxBytes: 2_000 });
    memory.keep("a", entryOf("a"));
    memory.keep("b", entryOf("b", { text: "x".repeat(2_000) }));
    expect([memory.find("a") === undefined, memory.find("b")]).toEqual([false, undefined]);
  });
});

it("clears those that are meant, and no others", async () => {
  const memory = new Memory(new VirtualClock(), WIDE);
  const keep = (key: string, init: Parameters<typeof entryOf>[1]) => memory.keep(key, entryOf(key, init));
  keep("a", { tenant: "one", family: "fast", tags: { team: "x" } });
  keep("b", { tenant: "two", family: "fast", tags: { team: "y" } });
  keep("c", { tenant: "two", family: "slow", tags: { team: "x" } });
  expect(await memory.clear({ tenant: "two", tag: { key: "team", value: "x" } })).toBe(1);
  expect(await memory.clear({ family: "slow" })).toBe(0);
  expect(await memory.clear({ family: "openai/gpt-4o", tenant: "one" })).toBe(1);
  expect(memory.find("b")).toBeDefined();
  expect(await memory.clear({ family: "fast" })).toBe(1);
});

it("knows what was cleared since something was begun, and takes it for cleared where that is too long ago", async () => {
  const memory = new Memory(new VirtualClock(), WIDE);
  const [mine, other] = [entryOf("a", { tenant: "one" }), entryOf("b", { tenant: "two" })];
  const begun = memory.clears;
  await memory.clear({ tenant: "one" });
  expect([memory.isCleared(mine, begun), memory.isCleared(other, begun)]).toEqual([true, false]);
  expect(memory.isCleared(mine, memory.clears)).toBe(false);
  for (let i = 0; i < 99; i++) await memory.clear({ tenant: `tenant-${i}` });
  expect([memory.isCleared(mine, begun), memory.isCleared(other, begun)]).toEqual([true, false]);
  await memory.clear({ tenant: "three" });
  expect(memory.isCleared(other, begun)).toBe(true);
});

it("tells what it holds, from when, and of whom", () => {
  const memory = new Memory(new VirtualClock(), WIDE);
  memory.keep("a", entryOf("a", { storedAtMs: 5 }));
  memory.keep("b", entryOf("b", { storedAtMs: 3 }));
  memory.find("b");
  const { bytes } = memory.held;
  expect(memory.figures()).toMatchObject({
    ...{ entries: 2, bytes, maxEntries: 100, maxBytes: 1_000_000, oldestAtMs: 3, newestAtMs: 5 },
    models: new Map([["openai/gpt-4o", { entries: 2, bytes }]]),
  });
});
