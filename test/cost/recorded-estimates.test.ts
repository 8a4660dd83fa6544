/**
 * How well requests of real providers are estimated, each by an estimator that has learnt from all others but it.
 * What their providers measured is the truth.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { type Estimate, Estimator } from "../../src/cost/estimate.ts";
import { familyOf } from "../../src/cost/family.ts";
import { recordingsFolder } from "../recordings/recordings.ts";
import { type Measured, type Recorded, recordedRequests } from "./recorded.ts";
import { refittedErrors } from "./refit.ts";

const folder = recordingsFolder();

it("recordings are there, or this is not CI", () => {
  if (folder === undefined) console.log("no recordings were found, and so none is estimated");
  expect(folder !== undefined || process.env.CI !== "true").toBe(true);
});

interface Row {
  readonly name: string;
  readonly family: string;
  readonly measured: number;
  readonly estimate: Estimate;
  readonly error: number;
  /** Whether its provider read more than the request, by the request's own wish. */
  readonly open: boolean;
}

if (folder !== undefined)
  describe("recorded requests", () => {
    let recorded: Recorded;
    let rows: readonly Row[];
    /** Of an estimator that has learnt nothing yet. */
    let untaught: readonly Row[];

    beforeAll(() => {
      recorded = recordedRequests(folder);
      rows = recorded.measured.map((one) => leftOut(one, recorded.measured));
      untaught = recorded.measured.map((one) => rowOf(one, new Estimator()));
      print(rows, recorded);
    });

    it("are enough to say something", () => {
      expect(closed(rows).length).toBeGreaterThan(100);
      expect(new Set(rows.map(({ family }) => family)).size).toBeGreaterThan(10);
    });

    it("are estimated to 10 % by the median, and those of no large family to more", () => {
      expect(quantile(errorsOf(closed(rows)), 0.5)).toBeLessThanOrEqual(0.1);
      for (const [family, some] of byFamily(closed(rows))) {
        if (some.length >= 10) expect(quantile(errorsOf(some), 0.5), family).toBeLessThanOrEqual(0.1);
      }
    });

    it("are estimated to 10 % even by constants that were fitted without them", () => {
      const closedOnes = recorded.measured.filter((_, at) => rows[at]?.open === false);
      const errors = refittedErrors(closedOnes).sort((one, other) => one - other);
      console.log(`median error by constants fitted without the request: ${percent(quantile(errors, 0.5))}`);
      expect(quantile(errors, 0.5)).toBeLessThanOrEqual(0.1);
    });

    it("never had more than the maximum, which is below three times a request that is not short", () => {
      const under = [...rows, ...untaught].filter(
        ({ measured, estimate }) => estimate.maxInputTokens < measured,
      );
      expect(under.map(({ name }) => name)).toEqual([]);
      for (const { name, measured, estimate } of closed(rows)) {
        if (measured > 100) expect(estimate.maxInputTokens / measured, name).toBeLessThan(3);
      }
    });

    it("are estimated better by one who has learnt from others than by one who has not", () => {
      expect(quantile(errorsOf(closed(rows)), 0.5)).toBeLessThan(quantile(errorsOf(closed(untaught)), 0.5));
    });
  });

function leftOut(one: Measured, all: readonly Measured[]): Row {
  const estimator = new Estimator();
  for (const other of all) {
    if (other === one) continue;
    estimator.observe(estimator.estimate(other.request, targetOf(other)), targetOf(other), other.inputTokens);
  }
  return rowOf(one, estimator);
}

function rowOf(one: Measured, estimator: Estimator): Row {
  const estimate = estimator.estimate(one.request, targetOf(one));
  return {
    name: one.name,
    family: familyOf(one).name,
    measured: one.inputTokens,
    estimate,
    error: Math.abs(estimate.inputTokens / one.inputTokens - 1),
    open: estimate.features.openRounds > 0,
  };
}

function targetOf({ kind, model }: Measured) {
  return { provider: kind, kind, model };
}

function closed(rows: readonly Row[]): Row[] {
  return rows.filter(({ open }) => !open);
}

function byFamily(rows: readonly Row[]): Map<string, Row[]> {
  return Map.groupBy(rows, ({ family }) => family);
}

function errorsOf(rows: readonly Row[]): number[] {
  return rows.map(({ error }) => error).sort((one, other) => one - other);
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function print(rows: readonly Row[], { withoutRequest, withoutCount, beyondContract }: Recorded): void {
  const line = (family: string, some: readonly Row[]) => {
    const errors = errorsOf(some);
    const reserved = some.map(({ measured, estimate }) => estimate.maxInputTokens / measured);
    return [
      family.padEnd(18),
      String(some.length).padStart(3),
      percent(quantile(errors, 0.5)),
      percent(quantile(errors, 0.9)),
      quantile(
        reserved.sort((one, other) => one - other),
        0.5,
      )
        .toFixed(2)
        .padStart(9),
    ].join("  ");
  };
  const open = rows.length - closed(rows).length;
  console.log(
    [
      "input tokens, estimated    n  median     p90  max/count",
      ...[...byFamily(closed(rows))].map(([family, some]) => line(family, some)),
      line("all", closed(rows)),
      `${open} read more than the request by its own wish: only their maximum counts`,
      `not counted: ${withoutRequest.length} without a whole request, ${withoutCount.length} without a count, ` +
        `${beyondContract.length} that the contract cannot ask for`,
    ].join("\n"),
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`.padStart(6);
}
