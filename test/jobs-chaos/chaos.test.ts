/**
 * Jobs while everything around them breaks: providers, receivers of webhooks, gateways and the database. Each is
 * submitted once, ends once, is told of, and what it cost is booked.
 */
import { describe, expect, test } from "vitest";
import { agreement, GRAVE } from "../money/agreement.ts";
import { bookedFor } from "../money/books.ts";
import { meteredBy } from "../money/exchanges.ts";
import { costOf } from "../money/prices.ts";
import { hasPostgres } from "../support/postgres.ts";
import { onPostgres, onSqlite, type Place } from "./places.ts";
import { isFinal, type Played, playRound, type RoundSize } from "./round.ts";
import { tableOf } from "./table.ts";

const FULL = process.env.JOBS_ROUND === "full";
const SIZE: RoundSize = FULL
  ? { jobs: 10_000, jobsPerSecond: 50, kills: 1_000, restarts: 2, failingTries: 3, patienceMs: 900_000 }
  : { jobs: 600, jobsPerSecond: 60, kills: 4, restarts: 2, failingTries: 1, patienceMs: 100_000 };
const LONGEST_MS = FULL ? 2_400_000 : 240_000;
/** Another one each time; a failure names it. */
const SEED = Number(process.env.JOBS_SEED ?? Date.now() % 1_000_000);
/** Of jobs that nobody cancelled. */
const COMPLETED = 0.95;

// Side by side the small rounds take half the time; a whole one needs the machine.
describe("jobs under chaos end once, are told of, and cost what is booked", { concurrent: !FULL }, () => {
  test("on SQLite, with one gateway", { timeout: LONGEST_MS }, () => play("SQLite", onSqlite()));

  test("on PostgreSQL, with two gateways", { timeout: LONGEST_MS }, async () => {
    if (!hasPostgres("a queue on PostgreSQL under chaos")) return;
    await play("PostgreSQL", await onPostgres());
  });
});

async function play(store: string, place: Place): Promise<void> {
  await using _ = place;
  const played = await playRound(place, SIZE, SEED);
  const { table, disagreements } = agreement({
    exchanges: played.exchanges,
    ...played.rows,
    receipts: [],
    metrics: "",
  });
  process.stdout.write(`\n${store}, JOBS_SEED=${SEED}\n${tableOf(played)}\n${table}\n`);
  checkJobs(played);
  checkHooks(played);
  expect(disagreements.filter(({ kind }) => GRAVE.includes(kind))).toEqual([]);
  checkMoney(played);
  expect(played.isSound).toBe(true);
}

function checkJobs({ submissions, jobs, revived }: Played): void {
  const marks = submissions.flatMap(({ chats }) => chats.map(({ mark }) => mark));
  expect(jobs.map(({ metadata }) => metadata.mark ?? "").sort()).toEqual(marks.sort());
  expect(revived).toEqual([]);
  expect(jobs.filter(({ status }) => !isFinal(status))).toEqual([]);
  const cancelled = new Set(
    submissions
      .filter(({ cancelledAfterMs }) => cancelledAfterMs !== undefined)
      .flatMap(({ chats }) => chats.map(({ mark }) => mark)),
  );
  const others = jobs.filter(({ metadata }) => !cancelled.has(metadata.mark ?? ""));
  expect(others.filter(({ status }) => status === "cancelled")).toEqual([]);
  const completed = others.filter(({ status }) => status === "completed");
  expect(completed.length).toBeGreaterThanOrEqual(COMPLETED * others.length);
}

/** One for each submission, with one text however often it came, which tells what is so. */
function checkHooks({ submissions, ids, jobs, hooks, wrongHooks, figures }: Played): void {
  expect(wrongHooks).toEqual([]);
  expect([...hooks.keys()].sort()).toEqual([...ids.values()].sort());
  expect(figures.tries).toBeGreaterThan(figures.webhooks);
  const statuses = new Map(jobs.map(({ jobId, status }) => [jobId, status]));
  for (const { key, kind } of submissions) {
    const id = ids.get(key) ?? "";
    const { taken, bodies } = hooks.get(id) ?? { taken: false, bodies: new Set<string>() };
    expect({ id, taken, bodies: bodies.size }).toEqual({ id, taken: true, bodies: 1 });
    const { type, data } = JSON.parse([...bodies][0] ?? "{}");
    if (kind === "job") {
      expect({ id, type, status: data.job.status }).toEqual({
        id,
        type: `job.${statuses.get(id)}`,
        status: statuses.get(id),
      });
      continue;
    }
    const ended = jobs.filter(({ batchId }) => batchId === id).map(({ status }) => status);
    const told = Object.fromEntries(STATUSES.map((status) => [status, data.batch[status] ?? 0]));
    const counted = Object.fromEntries(
      STATUSES.map((status) => [status, ended.filter((one) => one === status).length]),
    );
    expect({ id, ...told }).toEqual({ id, ...counted });
  }
}

const STATUSES = ["completed", "failed", "cancelled", "expired", "pending", "running"];

function checkMoney({ exchanges, rows, jobs, lostRuns, spentPicoUsd }: Played): void {
  const byMark = Map.groupBy(rows.attempts, ({ mark }) => mark);
  const metered = exchanges.reduce((sum, exchange) => {
    const [row] = byMark.get(exchange.mark ?? "") ?? [];
    return sum + ((row && costOf(row.provider, row.model, meteredBy([exchange]))) ?? 0n);
  }, 0n);
  expect(spentPicoUsd).toBeGreaterThanOrEqual(metered);
  for (const { jobId, metadata, costPicoUsd } of jobs) {
    if (costPicoUsd === undefined) continue;
    expect(lostRuns.get(jobId)).toBeUndefined();
    const theirs = byMark.get(metadata.mark ?? "") ?? [];
    const settled = theirs.reduce((sum, { costPicoUsd: cost }) => sum + (cost ?? 0n), 0n);
    const booked = theirs.reduce((sum, row) => sum + (bookedFor(row) ?? 0n), 0n);
    // What a run came to may be kept with the job, and lost to the ledger with the process: then the most is booked.
    const isBetween = settled <= costPicoUsd && costPicoUsd <= booked;
    expect({ jobId, costPicoUsd, settled, booked, isBetween }).toMatchObject({ isBetween: true });
  }
}
