/** A year of traffic: what was spent is told at once, and is what the rows come to. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { UsageQuery, UsageSums } from "../../src/core/usage-store.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { type Base, engines } from "../support/stores.ts";
import { bruteForce, inOrder, rowsIn } from "./brute.ts";
import { fill, sumUp } from "./bulk.ts";
import { NOW_MS, OPEN_SINCE_MS, yearOf } from "./year.ts";

const ATTEMPTS = Number(process.env.USAGE_ATTEMPTS ?? 200_000);
const DAY = 86_400_000;
const MONTH_WITHIN_MS = 300;
const YEAR_WITHIN_MS = 2_000;
const RUNS = 5;
const BUILD_WITHIN_MS = 3_600_000;

const MONTH: UsageQuery = {
  sinceMs: NOW_MS - 30 * DAY,
  untilMs: NOW_MS,
  groupBy: ["model", "tag:team"],
  filter: {},
};
const YEAR: UsageQuery = { ...MONTH, sinceMs: NOW_MS - 365 * DAY };

describe.each(engines("a year of usage"))("a year on $name", (engine) => {
  let base: Base;
  let store: Store;

  beforeAll(async () => {
    base = await engine.base();
    // It makes the tables.
    await (await openStore({ ...base.where, instance: "first", onDeath: () => {} })).close();
    const beganMs = performance.now();
    await fill(base.where, yearOf(ATTEMPTS));
    const filledMs = performance.now();
    await sumUp(base.where);
    tell(
      `rows written in ${seconds(filledMs - beganMs)}, summed in ${seconds(performance.now() - filledMs)}`,
    );
    store = await openStore({ ...base.where, instance: "here", onDeath: () => {} });
  }, BUILD_WITHIN_MS);

  afterAll(async () => {
    await store?.close();
    await base?.drop();
    await engine.stop();
  });

  it(
    "has the attempts that were asked for",
    async () => {
      const [row] = await base.rows("SELECT count(*) AS attempts FROM attempts");
      const attempts = Number(row?.attempts);
      tell(`${attempts} attempts`);
      expect(Math.abs(attempts / ATTEMPTS - 1)).toBeLessThan(0.05);
    },
    BUILD_WITHIN_MS,
  );

  it.each([
    ["30 days by model and team", MONTH, MONTH_WITHIN_MS],
    ["a year by model and team", YEAR, YEAR_WITHIN_MS],
    [
      "30 days of one team by day",
      { ...MONTH, groupBy: ["day"], filter: { tags: { team: "team-1" } } },
      MONTH_WITHIN_MS,
    ],
    [
      "a week by hour and model",
      { ...MONTH, sinceMs: NOW_MS - 7 * DAY, groupBy: ["hour", "model"] },
      YEAR_WITHIN_MS,
    ],
  ] as [string, UsageQuery, number][])(
    "tells %s in time, and exactly",
    async (name, query, withinMs) => {
      const times: number[] = [];
      let told: readonly UsageSums[] = [];
      for (let run = 0; run < RUNS; run++) {
        const beganMs = performance.now();
        told = await store.usage.usage(query);
        times.push(performance.now() - beganMs);
      }
      const [cold = 0] = times;
      const median = times.sort((a, b) => a - b)[RUNS >> 1] ?? 0;
      tell(`${name}: ${told.length} groups in ${median.toFixed(0)} ms, ${cold.toFixed(0)} ms the first time`);
      expect(sumsOf(told)).toEqual(await sumsOfRows(query));
      expect(median).toBeLessThan(withinMs);
    },
    BUILD_WITHIN_MS,
  );

  it("lists the latest requests, and finds one by its id", async () => {
    const period = { sinceMs: 0, untilMs: NOW_MS };
    const beganMs = performance.now();
    const { rows, next } = await store.usage.requests(period, { size: 50, after: undefined });
    const second = await store.usage.requests(period, { size: 50, after: next });
    const pagedMs = performance.now();
    const found = await store.usage.request(second.rows[49]?.requestId ?? "");
    tell(
      `two pages of requests in ${(pagedMs - beganMs).toFixed(0)} ms, one by its id in ${(performance.now() - pagedMs).toFixed(0)} ms`,
    );
    expect(rows.every(({ startedAtMs }) => startedAtMs >= (second.rows[0]?.startedAtMs ?? NOW_MS))).toBe(
      true,
    );
    expect(found?.call?.callId).toBe(second.rows[49]?.callId);
    expect(performance.now() - beganMs).toBeLessThan(YEAR_WITHIN_MS);
  });

  /** By statements of the test's own over all rows. */
  async function sumsOfRows({ sinceMs, untilMs, groupBy, filter }: UsageQuery) {
    const [from, until] = [Math.floor(sinceMs / 3.6e6) * 3.6e6, Math.ceil(untilMs / 3.6e6) * 3.6e6];
    const team =
      engine.name === "SQLite" ? "coalesce(tags ->> '$.team', '')" : "coalesce(tags ->> 'team', '')";
    const of: Record<string, string> = {
      model: "model",
      "tag:team": team,
      day: "started_at_ms / 86400000",
      hour: "started_at_ms / 3600000",
    };
    const group = groupBy.map((dimension) => of[dimension]);
    const where = `started_at_ms >= ${from} AND started_at_ms < ${until}${filter.tags ? ` AND ${team} = '${filter.tags.team}'` : ""}`;
    const by = (columns: string, table: string) =>
      base.rows(`SELECT ${columns} FROM ${table} WHERE ${where} GROUP BY ${group.join()}`);
    const attempts = await by(
      `count(*) AS n, coalesce(sum(cost_pico_usd), 0) AS cost, coalesce(sum(input_tokens), 0) AS input,
       count(*) FILTER (WHERE outcome = 'ok' AND latency_ms IS NOT NULL) AS timed`,
      "attempts",
    );
    const calls = await by("count(*) AS n, sum(saved_pico_usd) AS saved", "calls");
    const strings = (rows: readonly Record<string, unknown>[]) =>
      rows.map((row) => Object.values(row).join()).sort();
    return { attempts: strings(attempts), calls: strings(calls) };
  }
});

describe.each(engines("the bulk roll-up"))("the sums of a year on $name", (engine) => {
  afterAll(() => engine.stop());

  it("are what the roll-up makes of its rows, and what they come to", async () => {
    const [one, other] = [await engine.place(), await engine.place()];
    const sample = [...yearOf(3_000, 2)];
    const unsummed = (rows: (string | number | null)[][]) => rows.map((row) => [...row.slice(0, -1), 0]);
    await (await one.open()).close();
    await fill(one.where, sample);
    await sumUp(one.where);
    const store = await other.open();
    await fill(
      other.where,
      sample.map(({ attempts, calls }) => ({ attempts: unsummed(attempts), calls: unsummed(calls) })),
    );
    await store.ledger.rollUp(OPEN_SINCE_MS, 0);
    for (const table of ["spend_hours", "spend_days"]) {
      const sums = (place: typeof one) =>
        place.rows(`SELECT * FROM ${table} ORDER BY 1, 2, 3, 4, 5, 6, 7, 8`);
      const made = await sums(other);
      expect(made.length).toBeGreaterThan(1_000);
      expect(await sums(one)).toEqual(made);
    }
    const query: UsageQuery = { ...YEAR, groupBy: ["model", "tag:team", "route", "tenant"] };
    expect(inOrder(await store.usage.usage(query))).toEqual(bruteForce(await rowsIn(other), query));
  }, 120_000);
});

function sumsOf(told: readonly UsageSums[]) {
  const timed = ({ latencies }: UsageSums) => latencies.reduce((sum, count) => sum + count, 0);
  return {
    attempts: told
      .filter(({ attempts }) => attempts > 0)
      .map((sums) => [sums.attempts, sums.costPicoUsd, sums.inputTokens, timed(sums)].join())
      .sort(),
    calls: told
      .filter(({ requests }) => requests > 0)
      .map((sums) => [sums.requests, sums.savedPicoUsd].join())
      .sort(),
  };
}

function tell(text: string): void {
  process.stdout.write(`  ${text}\n`);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
