import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { Circuit, type State } from "../../src/resilience/circuit.ts";
import { CIRCUIT_RULE } from "../support/circuit.ts";
import { VirtualClock } from "../support/clock.ts";

let clock: VirtualClock;
let changes: State[];
let circuit: Circuit;
beforeEach(() => {
  clock = new VirtualClock();
  changes = [];
  circuit = new Circuit(clock, (state) => void changes.push(state));
});

function count(ok: number, failures: number, timeouts = 0): void {
  for (let n = 0; n < ok; n++) circuit.count("ok", CIRCUIT_RULE);
  for (let n = 0; n < failures; n++) circuit.count("failure", CIRCUIT_RULE);
  for (let n = 0; n < timeouts; n++) circuit.count("timeout", CIRCUIT_RULE);
}

describe("a closed circuit", () => {
  it.each([
    ["as many calls as mean something", 0, 9, 0, "closed"],
    ["half of them failing, and no more", 5, 5, 0, "closed"],
    ["more than half of them failing", 4, 6, 0, "open"],
    ["three in ten too slow, and no more", 7, 0, 3, "closed"],
    ["more than three in ten too slow", 6, 0, 4, "open"],
  ])("with %s is %s ok, %s failed, %s too slow: %s", (_, ok, failures, timeouts, state) => {
    count(ok, failures, timeouts);
    expect(circuit.state).toBe(state);
  });

  it("forgets what is older than a minute", async () => {
    count(0, 9);
    await clock.advance(66_000);
    count(0, 1);
    expect(circuit.state).toBe("closed");
  });

  it("is never opened where it is switched off", () => {
    for (let n = 0; n < 100; n++) circuit.count("failure", { ...CIRCUIT_RULE, enabled: false });
    expect(circuit.admit({ ...CIRCUIT_RULE, enabled: false })).toBe("call");
  });
});

describe("an open circuit", () => {
  beforeEach(() => count(0, 10));

  it("lets nobody through, until single calls may try", async () => {
    await clock.advance(29_999);
    expect(circuit.admit(CIRCUIT_RULE)).toBe("refused");
    expect(circuit.times).toEqual({ openedAtMs: 1_000_000, probeAtMs: 1_030_000 });
    await clock.advance(1);
    expect(circuit.state).toBe("half_open");
    expect(circuit.admit(CIRCUIT_RULE)).toBeTypeOf("number");
    expect(circuit.admit(CIRCUIT_RULE)).toBe("refused");
  });

  it("is not left alone for longer where the clock was set back", () => {
    let nowMs = 10_000_000;
    const set = new Circuit({ now: () => nowMs, after: clock.after }, () => {});
    for (let n = 0; n < 10; n++) set.count("failure", CIRCUIT_RULE);
    expect(set.state).toBe("open");
    nowMs -= 3_600_000;
    expect(set.state).toBe("half_open");
    set.refuted(set.admit(CIRCUIT_RULE), CIRCUIT_RULE);
    expect(set.state).toBe("open");
    nowMs += 30_000;
    expect(set.admit(CIRCUIT_RULE)).toBeTypeOf("number");
  });

  it("closes by a probe's first word, and begins anew", async () => {
    await clock.advance(30_000);
    circuit.proved(circuit.admit(CIRCUIT_RULE), CIRCUIT_RULE);
    expect(circuit.state).toBe("closed");
    expect(circuit.figures).toEqual({ attempts: 0, failures: 0, timeouts: 0 });
    expect(changes).toEqual(["open", "half_open", "closed"]);
  });

  it("stays open for as long again when a probe fails", async () => {
    await clock.advance(30_000);
    circuit.refuted(circuit.admit(CIRCUIT_RULE), CIRCUIT_RULE);
    await clock.advance(29_999);
    expect(circuit.admit(CIRCUIT_RULE)).toBe("refused");
    await clock.advance(1);
    expect(circuit.admit(CIRCUIT_RULE)).toBeTypeOf("number");
  });

  it("sends another probe when one told nothing, and hears none of a round before", async () => {
    await clock.advance(30_000);
    const first = circuit.admit(CIRCUIT_RULE);
    circuit.released(first);
    const second = circuit.admit(CIRCUIT_RULE);
    circuit.refuted(second, CIRCUIT_RULE);
    await clock.advance(30_000);
    const third = circuit.admit(CIRCUIT_RULE);
    circuit.proved(first, CIRCUIT_RULE);
    circuit.refuted(second, CIRCUIT_RULE);
    expect(circuit.state).toBe("half_open");
    circuit.proved(third, CIRCUIT_RULE);
    expect(circuit.state).toBe("closed");
  });

  it("takes as many successes as it sends probes at a time", async () => {
    const rule = { ...CIRCUIT_RULE, probes: 3 };
    await clock.advance(30_000);
    const probes = [circuit.admit(rule), circuit.admit(rule), circuit.admit(rule)];
    expect(circuit.admit(rule)).toBe("refused");
    for (const probe of probes.slice(0, 2)) circuit.proved(probe, rule);
    expect([circuit.state, circuit.admit(rule)]).toEqual(["half_open", "refused"]);
    circuit.proved(probes[2] ?? 0, rule);
    expect(circuit.state).toBe("closed");
  });
});

it("says without being asked for a call whether it would refuse one", async () => {
  const off = { ...CIRCUIT_RULE, enabled: false };
  const refuses = () => [circuit.refuses(CIRCUIT_RULE), circuit.refuses(off)];
  expect(refuses()).toEqual([false, false]);
  count(0, 10);
  expect(refuses()).toEqual([true, false]);
  await clock.advance(30_000);
  expect(refuses()).toEqual([false, false]);
  expect(circuit.admit(CIRCUIT_RULE)).toBeTypeOf("number");
  circuit.set("open");
  expect(refuses()).toEqual([true, true]);
  circuit.set("closed");
  expect(refuses()).toEqual([false, false]);
});

it("is as it was set by hand, whatever happens, and begins anew when it is left to itself", () => {
  circuit.set("closed");
  count(0, 100);
  expect([circuit.state, circuit.admit(CIRCUIT_RULE)]).toEqual(["closed", "call"]);
  circuit.set("open");
  expect([circuit.state, circuit.admit(CIRCUIT_RULE), circuit.times]).toEqual(["open", "refused", undefined]);
  circuit.set("automatic");
  expect([circuit.state, circuit.figures.attempts]).toEqual(["closed", 0]);
});

it("tells each change of how it stands, and nothing twice", () => {
  for (const mode of ["closed", "open", "open", "automatic", "automatic"] as const) circuit.set(mode);
  count(0, 10);
  for (const mode of ["open", "closed"] as const) circuit.set(mode);
  expect(changes).toEqual(["open", "closed", "open", "closed"]);
});

it("hears nothing of a probe that was under way when it was set by hand", async () => {
  count(0, 10);
  await clock.advance(30_000);
  const probe = circuit.admit(CIRCUIT_RULE);
  circuit.set("open");
  circuit.proved(probe, CIRCUIT_RULE);
  expect(circuit.state).toBe("open");
  circuit.set("automatic");
  circuit.refuted(probe, CIRCUIT_RULE);
  expect(circuit.state).toBe("closed");
});

it("lets at most so many calls through in a period while all of them fail", async () => {
  const rule = fc.record({
    probes: fc.integer({ min: 1, max: 5 }),
    openForMs: fc.integer({ min: 1_000, max: 60_000 }),
  });
  const gaps = fc.array(fc.nat(20_000), { minLength: 1, maxLength: 100 });
  await fc.assert(
    fc.asyncProperty(rule, gaps, async (given, waits) => {
      const rule = { ...CIRCUIT_RULE, ...given };
      const time = new VirtualClock();
      const dead = new Circuit(time, () => {});
      for (let n = 0; n < 10; n++) dead.count("failure", rule);
      const let_: number[] = [];
      for (const wait of waits) {
        await time.advance(wait);
        const admission = dead.admit(rule);
        if (admission === "refused") continue;
        let_.push(time.now());
        dead.refuted(admission, rule);
        dead.count("failure", rule);
      }
      for (const at of let_)
        expect(let_.filter((one) => one >= at && one < at + rule.openForMs).length).toBeLessThanOrEqual(
          rule.probes,
        );
    }),
  );
});
