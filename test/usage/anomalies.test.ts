/** Weeks of spend with a fault planted in each, and weeks without: what is told of them, and what is not. */
import { expect, test } from "vitest";
import { anomaliesOf, BEGIN, DAY, type Fault, MODELS, type Month, told, WEEK } from "./months.ts";

const HOUR_MS = 3_600_000;
const SEEDS = Array.from({ length: Number(process.env.ANOMALY_SEEDS ?? 9) }, (_, index) => index + 1);
/** Wednesday of the fifth week, two in the afternoon. */
const AT = 4 * WEEK + 2 * DAY + 14;

const during =
  (from: number, hours: number, model: string, times: number): Fault =>
  (one, hour) =>
    `${one.provider}/${one.model}` === model && hour >= from && hour < from + hours ? { times } : undefined;

function hourOf(ms: bigint | undefined): number {
  return Number(ms) / 3_600 - BEGIN;
}

/** Many take long: they are for `npm run test:usage -- --full`. */
const CLEAN_SEEDS = process.env.USAGE_ATTEMPTS === undefined ? 20 : 300;

test("clean weeks have none", { timeout: 1_200_000 }, () => {
  const seeds = Array.from({ length: CLEAN_SEEDS }, (_, index) => 100 + index);
  const found = seeds.flatMap((seed) =>
    anomaliesOf({ seed }).map((one) => `${seed}: ${told(one)}: ${one.text}`),
  );
  const judged = seeds.length * 5 * WEEK * (MODELS.length + 1);
  console.log(
    `false alarms: ${found.length} in ${seeds.length} months, ${judged} hours of models that were judged`,
  );
  expect(found).toEqual([]);
});

const FAULTS: readonly (readonly [string, Partial<Month>, readonly string[]])[] = [
  ["an hour four times as dear", { fault: during(AT, 1, "openai/large", 4) }, ["spend openai/large"]],
  ["a loop by night", { fault: during(AT + 12, 3, "claude/large", 5) }, ["spend claude/large", "spend"]],
  [
    "a new model",
    {
      models: [
        ...MODELS,
        { provider: "openai", model: "fresh", attempts: 150, input: 3_000, output: 500, when: "always" },
      ],
      fault: ({ model }, hour) => (model === "fresh" && hour < AT ? { times: 0 } : undefined),
    },
    ["new_model openai/fresh"],
  ],
  [
    "a model that takes ever more",
    {
      fault: ({ model }, hour) =>
        model === "quick" && hour > 3 * WEEK ? { times: 1 + (hour - 3 * WEEK) / 8 } : undefined,
    },
    ["model_share gemini/quick"],
  ],
  [
    "a share without a price that grows by a point a day",
    {
      fault: ({ model }, hour) =>
        model === "small" && hour > 2 * WEEK ? { unpriced: ((hour - 2 * WEEK) / DAY) * 0.01 } : undefined,
    },
    ["unpriced_share openai/small"],
  ],
  [
    "a provider that ceases to tell tokens",
    { fault: ({ provider }, hour) => (provider === "claude" && hour >= AT ? { estimated: 0.4 } : undefined) },
    ["estimated_share claude/large"],
  ],
];

test.each(FAULTS)("%s is found and named, and nobody else is", (_, fault, expected) => {
  for (const seed of SEEDS) {
    const found = anomaliesOf({ seed, ...fault });
    expect(found.map(told), `seed ${seed}: ${found.map(({ text }) => text).join("; ")}`).toEqual(
      expect.arrayContaining([...expected]),
    );
    const [planted = ""] = expected[0]?.split(" ").slice(1) ?? [];
    const others = found.filter((one) => one.model !== "" && !told(one).endsWith(` ${planted}`));
    expect(others.map(told), `seed ${seed}`).toEqual([]);
  }
});

test("a busy hour of two and a half times the usual is found, and one of one and a half is not", () => {
  const rates = [1.5, 2, 2.5, 3, 4].map((times) => {
    const fault = during(AT, 1, "openai/small", times);
    const found = SEEDS.filter((seed) =>
      anomaliesOf({ seed, fault }).some((one) => told(one) === "spend openai/small"),
    );
    return [times, found.length / SEEDS.length] as const;
  });
  console.log(
    `found: ${rates.map(([times, rate]) => `${times} times ${(rate * 100).toFixed(0)} %`).join(", ")}`,
  );
  const rateAt = Object.fromEntries(rates);
  expect([rateAt[1.5], rateAt[3], rateAt[4]]).toEqual([0, 1, 1]);
});

test("a fault is told with its hour, its figures and its dollars", () => {
  const [spike] = anomaliesOf({ seed: 1, fault: during(AT, 2, "openai/large", 6) }).filter(
    (one) => told(one) === "spend openai/large",
  );
  expect(spike && hourOf(spike.since?.seconds)).toBe(AT);
  expect(spike && hourOf(spike.until?.seconds)).toBe(AT + 2);
  expect(spike?.ratio).toBeGreaterThan(4);
  expect(spike?.ratio).toBeCloseTo((spike?.observed ?? 0) / (spike?.expected ?? 1), 9);
  expect(spike?.usd).toBeGreaterThan((spike?.observed ?? 0) - (spike?.expected ?? 0));
  expect(spike?.text).toMatch(
    /^openai\/large cost \$\d+\.\d\d in an hour that usually costs \$\d+\.\d\d, \d/,
  );
});

test("nothing is told in the first week, whatever happens", () => {
  for (const seed of SEEDS) {
    const wild: Fault = (_, hour) =>
      hour % 29 === 0 ? { times: 8, unpriced: 0.2 } : { estimated: (hour % 40) / 50 };
    expect(anomaliesOf({ seed, weeks: 1, fault: wild })).toEqual([]);
  }
});

test("in the second week a fault is found, and a quiet one has none", () => {
  for (const seed of SEEDS) {
    expect(anomaliesOf({ seed, weeks: 2 }).map(told)).toEqual([]);
    const found = anomaliesOf({ seed, weeks: 2, fault: during(WEEK + 3 * DAY + 10, 2, "claude/large", 5) });
    expect(found.map(told)).toContain("spend claude/large");
  }
});

test("other prices are no anomaly, dearer or cheaper, and a fault behind them is one", () => {
  for (const factor of [3, 0.25]) {
    const prices = (hour: number) => (hour < AT - DAY ? 1 : factor);
    for (const seed of SEEDS.slice(0, 4)) {
      expect(anomaliesOf({ seed, prices }, undefined, prices).map(told)).toEqual([]);
      const fault = during(AT, 2, "claude/large", 6);
      const found = anomaliesOf({ seed, prices, fault }, undefined, prices);
      expect(found.map(told)).toContain("spend claude/large");
    }
  }
});

test("a holiday is none, nor is the day behind it", () => {
  const holiday: Fault = ({ when }, hour) =>
    when === "office" && Math.floor(hour / DAY) === Math.floor(AT / DAY) ? { times: 0.1 } : undefined;
  for (const seed of SEEDS) expect(anomaliesOf({ seed, fault: holiday }).map(told)).toEqual([]);
});

test("two quiet weeks are none, nor is the return", () => {
  const leave: Fault = ({ when }, hour) =>
    when === "office" && hour >= 3 * WEEK && hour < 5 * WEEK ? { times: 0.3 } : undefined;
  for (const seed of SEEDS) expect(anomaliesOf({ seed, weeks: 8, fault: leave }).map(told)).toEqual([]);
});

test("what stays at more is told once, and is usual within a week", () => {
  const more: Fault = ({ provider }, hour) =>
    provider === "claude" && hour >= AT ? { times: 3 } : undefined;
  for (const seed of SEEDS) {
    const found = anomaliesOf({ seed, weeks: 8, fault: more }).filter(
      (one) => told(one) === "spend claude/large",
    );
    expect(found).toHaveLength(1);
    expect(hourOf(found[0]?.until?.seconds)).toBeLessThan(AT + WEEK);
  }
});

test("all prices and the least amount times the same change nothing", () => {
  const fault: Fault = (model, hour) =>
    during(AT, 2, "claude/large", 4)(model, hour) ?? during(AT + 40, 5, "openai/small", 7)(model, hour);
  const outline = (factor: number, seed: number) =>
    anomaliesOf({ seed, fault, prices: () => factor }, { ratio: 2, minUsd: factor }, () => factor).map(
      (one) => [told(one), one.since, one.until, one.ratio?.toFixed(6), ((one.usd ?? 0) / factor).toFixed(4)],
    );
  for (const seed of SEEDS.slice(0, 5)) {
    const once = outline(1, seed);
    expect(once.length).toBeGreaterThan(1);
    for (const factor of [0.04, 0.5, 2, 100]) expect(outline(factor, seed)).toEqual(once);
  }
});

test("less than the least amount is not told", () => {
  const fault = during(AT, 1, "gemini/quick", 4);
  expect(anomaliesOf({ seed: 1, fault }, { ratio: 2, minUsd: 1_000 })).toEqual([]);
  const found = anomaliesOf({ seed: 1, fault }, { ratio: 2, minUsd: 0.01 });
  expect(found.map(told)).toEqual(["spend gemini/quick"]);
  const [small] = found;
  expect(Number(small?.since?.seconds) * 1_000).toBe((BEGIN + AT) * HOUR_MS);
});
