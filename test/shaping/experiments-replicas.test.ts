/** Several processes with one experiment: they decide by what all of them have counted. */
import { expect, it } from "vitest";
import type { KeptTrial } from "../../src/core/experiment-store.ts";
import { ownText, rulingText, told } from "../../src/experiments/kept.ts";
import { Trial } from "../../src/experiments/trial.ts";
import { VirtualClock } from "../support/clock.ts";
import { RULE } from "./simulated.ts";

const ROW = { name: "simulated", fingerprint: "", updatedAtMs: 0 };

it("names a winner by the figures of all, and holds to what one has decided", () => {
  const clock = new VirtualClock();
  const rulings: string[] = [];
  const replicas = ["one", "two", "three"].map((instance) => {
    const onRuling = (ruling: Parameters<typeof rulingText>[0]) => void rulings.push(rulingText(ruling));
    return { instance, trial: new Trial({ ...RULE, minSamples: 300 }, { clock, onRuling }) };
  });
  // Each has too few of its own.
  for (let call = 0; call < 360; call++)
    for (const [at, { trial }] of replicas.entries()) {
      const name = call % 2 === 0 ? "a" : "b";
      const costUsd = name === "a" ? 0.01 + (call % 7) / 1_000 : 0.005 + (call % 5) / 1_000;
      const usual = { cached: false, failed: false, latencyMs: 500, unpriced: false, tokens: 10 };
      trial.count(name, { ...usual, group: (call + at) % 32, costUsd });
    }
  expect(rulings).toEqual([]);
  const kept: KeptTrial[] = replicas.map(({ instance, trial }) => ({
    ...ROW,
    instance,
    body: ownText(trial),
  }));
  const [first, second] = replicas;
  if (!first || !second) throw new Error("there are no replicas");
  const others = (instance: string) => told(kept.filter((row) => row.instance !== instance));
  const hear = ({ instance, trial }: typeof first) => {
    const { figures, ruling, sinceMs } = others(instance);
    trial.hear(figures, ruling, sinceMs);
  };
  hear(first);
  expect(first.trial.figuresOf("a").requests).toBe(540);
  for (let call = 0; call < 10; call++) first.trial.rate("a", 0.5, call, undefined);
  expect(first.trial.ruling).toMatchObject({ kind: "winner", winner: "b", by: "sequential_test" });
  expect(second.trial.state).toBe("running");
  kept.push({ ...ROW, instance: "", body: rulings[0] ?? "" }, { ...ROW, instance: "broken", body: "{" });
  hear(second);
  expect(second.trial.state).toBe("decided");
  expect(second.trial.shares.map(({ weight }) => weight)).toEqual([0, 1]);
});

it("holds to what an operator says last, whatever the clock of who decided before", () => {
  const [ahead, behind] = [new VirtualClock(100_000), new VirtualClock(40_000)].map(
    (clock) => new Trial(RULE, { clock, onRuling: () => {} }),
  );
  if (!ahead || !behind) throw new Error("there are no replicas");
  const hear = (one: Trial, other: Trial) => one.hear(new Map(), other.ruling, undefined);
  ahead.promote("b");
  hear(behind, ahead);
  behind.stop();
  hear(behind, ahead);
  hear(ahead, behind);
  expect([behind.state, ahead.state]).toEqual(["stopped", "stopped"]);
});
