/** Calls as an experiment would see them, drawn by a seeded generator: what each variant costs, takes, and is said of. */
import { assigned, unitOf } from "../../src/experiments/assign.ts";
import { Trial, type TrialRule } from "../../src/experiments/trial.ts";
import { VirtualClock } from "../support/clock.ts";

/** What the calls of a variant are like. */
export interface Nature {
  /** US dollars on average. */
  readonly cost: number;
  readonly failureRate: number;
  readonly latencyMs: number;
  /** The share of answers that are liked; undefined where nobody says. */
  readonly liked?: number;
}

export const USUAL: Nature = { cost: 0.01, failureRate: 0.02, latencyMs: 800 };

export const RULE: TrialRule = {
  name: "simulated",
  fingerprint: "",
  enabled: true,
  startMs: undefined,
  stopMs: undefined,
  decides: true,
  variants: [
    { name: "a", weight: 50 },
    { name: "b", weight: 50 },
  ],
  objective: "cost",
  qualityWeight: 1,
  costWeight: 1,
  alpha: 0.05,
  minSamples: 200,
  minDurationMs: 0,
  stopOnHarm: true,
  harmMinSamples: 50,
  maxFailureIncrease: 0.05,
  maxLatencyIncrease: 0.5,
  maxCostIncrease: 1,
  maxQualityDecrease: 0.1,
  sticky: false,
};

export interface Course {
  readonly trial: Trial;
  /** Calls that each variant was given. */
  readonly given: Readonly<Record<string, number>>;
  /** After how many calls something was decided; undefined for never. */
  readonly endedAfter: number | undefined;
}

export interface Plan {
  readonly rule?: Partial<TrialRule>;
  readonly natures: Readonly<Record<string, Nature>>;
  readonly calls: number;
  /** Sessions, which are each always dearer or cheaper by nature; by lot without. */
  readonly sessions?: number;
  /** Goes on once it is decided. */
  readonly goOn?: boolean;
}

/** Mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function run({ rule, natures, calls, sessions, goOn = false }: Plan, seed: number): Course {
  const random = seeded(seed);
  let endedAfter: number | undefined;
  let made = 0;
  const trial = new Trial(
    { ...RULE, ...rule },
    { clock: new VirtualClock(), onRuling: () => (endedAfter ??= made) },
  );
  const given: Record<string, number> = {};
  const temper = Array.from({ length: sessions ?? 0 }, () => Math.exp(normal(random)));
  for (made = 1; made <= calls && (goOn || endedAfter === undefined); made++) {
    const session = sessions === undefined ? undefined : Math.floor(random() * sessions);
    const unit = unitOf("simulated", session === undefined ? undefined : `${seed}/${session}`, random);
    const name = assigned(trial.shares, unit)?.name;
    const nature = natures[name ?? ""];
    if (!name || !nature) break;
    given[name] = (given[name] ?? 0) + 1;
    const own = session === undefined ? 1 : (temper[session] ?? 1);
    trial.count(name, {
      group: unit.group,
      cached: false,
      failed: random() < nature.failureRate,
      latencyMs: nature.latencyMs * Math.exp(0.6 * normal(random)),
      costUsd: nature.cost * own * Math.exp(0.5 * normal(random) - 0.125),
      unpriced: false,
      tokens: 100,
    });
    if (nature.liked !== undefined && random() < 0.5)
      trial.rate(name, random() < nature.liked ? 1 : 0, unit.group, undefined);
  }
  return { trial, given, endedAfter };
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
