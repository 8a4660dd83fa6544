import { beforeEach, describe, expect, it } from "vitest";
import { type Breaker, createBreaker } from "../../../src/jobs/webhook/breaker.ts";
import { VirtualClock } from "../../support/clock.ts";

const HOST = "hooks.example.com";
let clock: VirtualClock;
let breaker: Breaker;

beforeEach(() => {
  clock = new VirtualClock();
  breaker = createBreaker(clock, () => 0);
});

function fail(times: number): void {
  for (let i = 0; i < times; i++) breaker.failed(HOST);
}

describe("the breaker", () => {
  it("opens with the fifth failure in a row, for this host alone", () => {
    fail(4);
    expect(breaker.stateOf(HOST)).toBe("closed");
    fail(1);
    expect(breaker.stateOf(HOST)).toBe("open");
    expect(breaker.open()).toEqual([HOST]);
    expect(breaker.stateOf("other.example.com")).toBe("closed");
  });

  it("begins to count anew with a success", () => {
    fail(4);
    breaker.succeeded(HOST);
    fail(4);
    expect(breaker.stateOf(HOST)).toBe("closed");
  });

  it("lets one try through after a pause that grows up to ten minutes", async () => {
    fail(5);
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      const start = clock.now();
      while (breaker.stateOf(HOST) === "open") await clock.advance(1_000);
      expect(breaker.probes()).toEqual([HOST]);
      expect(breaker.open()).toEqual([]);
      pauses.push((clock.now() - start) / 1_000);
      fail(1);
    }
    expect(pauses).toEqual([15, 30, 60, 120, 240, 480, 600, 600]);
  });

  it("does not hold against a host what was under way when it opened", async () => {
    fail(50);
    await clock.advance(15_000);
    expect(breaker.stateOf(HOST)).toBe("probe");
  });

  it("closes with a probe's success", async () => {
    fail(5);
    await clock.advance(15_000);
    breaker.succeeded(HOST);
    expect(breaker.stateOf(HOST)).toBe("closed");
    expect(breaker.probes()).toEqual([]);
  });

  it("remembers a bounded number of hosts", () => {
    for (let i = 0; i < 3_000; i++) for (let n = 0; n < 5; n++) breaker.failed(`h${i}.example.com`);
    expect(breaker.open()).toHaveLength(1_000);
    expect(breaker.stateOf("h2999.example.com")).toBe("open");
  });
});
