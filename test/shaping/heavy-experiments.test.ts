/** What an experiment decides over a thousand simulated courses: seldom wrongly, soon where it matters, never on what is broken. */
import { expect, it, vi } from "vitest";
import { type Course, type Plan, run, USUAL } from "./simulated.ts";

const RUNS = 1_000;

vi.setConfig({ testTimeout: 300_000 });

function courses(plan: Plan, runs = RUNS): Course[] {
  return Array.from({ length: runs }, (_, seed) => run(plan, 7_919 * seed + 17));
}

/** The share of courses that a variant won. */
function wonBy(name: string, all: readonly Course[]): number {
  return all.filter(({ trial }) => trial.ruling.winner === name).length / all.length;
}

function wonByAny(all: readonly Course[]): number {
  return all.filter(({ trial }) => trial.ruling.winner !== "").length / all.length;
}

function tell(what: string, share: number): void {
  process.stdout.write(`${what}: ${(100 * share).toFixed(1)} %\n`);
}

it("between two that are alike, seldom names a winner, however often it looks", () => {
  const share = wonByAny(courses({ natures: { a: USUAL, b: USUAL }, calls: 3_000 }));
  tell("winners among two alike, by cost", share);
  expect(share).toBeLessThan(0.05);
});

it("nor among three", () => {
  const rule = { variants: ["a", "b", "c"].map((name) => ({ name, weight: 1 })) };
  const share = wonByAny(courses({ rule, natures: { a: USUAL, b: USUAL, c: USUAL }, calls: 3_000 }));
  tell("winners among three alike, by cost", share);
  expect(share).toBeLessThan(0.05);
});

it("nor by feedback", () => {
  const liked = { ...USUAL, liked: 0.7 };
  const rule = { objective: "quality" } as const;
  const share = wonByAny(courses({ rule, natures: { a: liked, b: liked }, calls: 3_000 }));
  tell("winners among two alike, by quality", share);
  expect(share).toBeLessThan(0.05);
});

it("nor by both", () => {
  const liked = { ...USUAL, liked: 0.7 };
  const rule = { objective: "weighted" } as const;
  const share = wonByAny(courses({ rule, natures: { a: liked, b: liked }, calls: 3_000 }));
  tell("winners among two alike, weighted", share);
  expect(share).toBeLessThan(0.05);
});

it("nor where sessions differ from each other, and stay at one variant", () => {
  const plan: Plan = { rule: { sticky: true }, natures: { a: USUAL, b: USUAL }, calls: 3_000, sessions: 150 };
  const share = wonByAny(courses(plan));
  tell("winners among two alike with sticky sessions", share);
  expect(share).toBeLessThan(0.05);
});

it("where one costs two in a hundred less, seldom names the other", () => {
  const share = wonBy("a", courses({ natures: { a: USUAL, b: { ...USUAL, cost: 0.0098 } }, calls: 3_000 }));
  tell("wrong winners at a difference of 2 %", share);
  expect(share).toBeLessThan(0.05);
});

it("where one costs a quarter less, gives it all calls", () => {
  const all = courses(
    { natures: { a: USUAL, b: { ...USUAL, cost: 0.0075 } }, calls: 4_000, goOn: true },
    300,
  );
  tell("right winners at a difference of 25 %", wonBy("b", all));
  expect(wonBy("b", all)).toBeGreaterThan(0.97);
  expect(wonBy("a", all)).toBe(0);
  const shares = all.map(({ given }) => (given.b ?? 0) / ((given.a ?? 0) + (given.b ?? 0)));
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  tell("share of the better one over all calls", mean);
  expect(mean).toBeGreaterThan(0.8);
  // Once it is decided, nobody else is asked.
  expect(all.flatMap(({ trial }) => trial.shares).filter(({ weight }) => weight > 0)).toHaveLength(
    all.length,
  );
});

it("gives each its share until then", () => {
  const rule = {
    decides: false,
    variants: [
      { name: "a", weight: 80 },
      { name: "b", weight: 20 },
    ],
  };
  const all = courses({ rule, natures: { a: USUAL, b: USUAL }, calls: 2_000 }, 50);
  const given = all.reduce((sum, course) => sum + (course.given.b ?? 0), 0);
  const calls = all.reduce((sum, course) => sum + (course.given.a ?? 0) + (course.given.b ?? 0), 0);
  expect(given / calls).toBeCloseTo(0.2, 2);
});

it.each([
  ["fails", { ...USUAL, failureRate: 0.3 }],
  ["takes three times as long", { ...USUAL, latencyMs: 2_400 }],
  ["costs four times as much", { ...USUAL, cost: 0.04 }],
])("one that %s is given no calls any more, soon", (how, harmful) => {
  const all = courses({ rule: { objective: "cost" }, natures: { a: USUAL, b: harmful }, calls: 2_000 });
  const stopped = all.filter(({ trial }) => Object.hasOwn(trial.ruling.harmful, "b"));
  const after = stopped.map(({ given }) => given.b ?? 0).sort((a, b) => a - b);
  tell(`stopped when one ${how}`, stopped.length / all.length);
  process.stdout.write(`  after ${after[after.length >> 1]} calls of its own, ${after.at(-1)} at most\n`);
  expect(stopped.length / all.length).toBeGreaterThan(0.99);
  expect(after[after.length >> 1]).toBeLessThan(150);
  expect(all.every(({ trial }) => !Object.hasOwn(trial.ruling.harmful, "a"))).toBe(true);
});

it("one that is like the control is seldom taken for harmful", () => {
  const all = courses({ natures: { a: USUAL, b: USUAL }, calls: 2_000 });
  const stopped = all.filter(({ trial }) => Object.keys(trial.ruling.harmful).length > 0).length / all.length;
  tell("taken for harmful though alike", stopped);
  expect(stopped).toBeLessThan(0.01);
});

it.each([[2], [3], [4], [8]])(
  "nor where %i sessions differ from each other, and stay at one variant",
  (sessions) => {
    const rule = { sticky: true, decides: false };
    const all = courses({ rule, natures: { a: USUAL, b: USUAL }, calls: 2_000, sessions });
    const stopped =
      all.filter(({ trial }) => Object.keys(trial.ruling.harmful).length > 0).length / all.length;
    tell(`taken for harmful though alike with ${sessions} sticky sessions`, stopped);
    expect(stopped).toBeLessThan(0.02);
  },
);
