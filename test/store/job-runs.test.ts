/** What is asked of the store of jobs holds on each engine: who runs a job, when, and what comes of its runs. */
import { Client } from "pg";
import { afterAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { LEASE_MS, type StoredFailure } from "../../src/core/job-store.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import {
  batchOf,
  endingOf,
  idsOf,
  jobEngines,
  jobOf,
  NOW,
  OWNER,
  runOf,
  submissionOf,
  submit,
  takeOne,
} from "../support/jobs.ts";

const OVERLOADED: StoredFailure = { kind: "provider_overloaded", message: "come again", retryable: true };
const REFUSED: StoredFailure = { kind: "content_filtered", message: "no", retryable: false };
const UNKNOWN = { costPicoUsd: undefined };

function cost(picoUsd: bigint): { costPicoUsd: PicoUsd } {
  return { costPicoUsd: picoUsd as PicoUsd };
}

describe.each(jobEngines("runs of jobs"))("runs of jobs on $name", (engine) => {
  afterAll(() => engine.stop());

  const open = async () => (await engine.place()).open();

  it("begin with the highest priority, then with what was due first, then with the oldest", async () => {
    const { jobs } = await open();
    await submit(
      jobs,
      jobOf("c", { dueAtMs: NOW - 10 }),
      jobOf("b", { dueAtMs: NOW - 10 }),
      jobOf("a", { dueAtMs: NOW - 5 }),
      jobOf("d", { dueAtMs: NOW - 20 }),
      jobOf("e", { priority: 3 }),
      jobOf("f", { priority: 9, dueAtMs: NOW - 1 }),
      jobOf("g", { priority: -2, dueAtMs: NOW - 50 }),
      jobOf("h", { priority: 9, dueAtMs: NOW + 1 }),
    );
    expect(idsOf(await jobs.take(0, NOW))).toEqual([]);
    expect(idsOf(await jobs.take(3, NOW))).toEqual(["f", "e", "d"]);
    expect(idsOf(await jobs.take(10, NOW))).toEqual(["b", "c", "a", "g"]);
    expect(idsOf(await jobs.take(10, NOW))).toEqual([]);
    expect(idsOf(await jobs.take(10, NOW + 1))).toEqual(["h"]);
  });

  it("begin within the time that the job gave, or never", async () => {
    const { jobs } = await open();
    await submit(
      jobs,
      jobOf("a", { startWithinMs: 100 }),
      jobOf("b", { startWithinMs: 200 }),
      jobOf("c", { startWithinMs: 100, dueAtMs: NOW + 50 }),
    );
    expect(await jobs.expire(NOW + 100)).toBe(0);
    expect(idsOf(await jobs.take(3, NOW + 101))).toEqual(["b", "c"]);
    expect(await jobs.get("a", OWNER)).toMatchObject({ state: "pending" });
    expect(await jobs.expire(NOW + 101)).toBe(1);
    expect(await jobs.expire(NOW + 101)).toBe(0);
    expect(await jobs.get("a", OWNER)).toMatchObject({
      state: "expired",
      endedAtMs: NOW + 101,
      failure: undefined,
      costPicoUsd: 0n,
      runs: 0,
    });
    expect(idsOf(await jobs.take(3, NOW))).toEqual([]);
  });

  it("are not expired any more once there was one", async () => {
    const { jobs } = await open();
    await submit(jobs, jobOf("a", { startWithinMs: 100 }), jobOf("b", { startWithinMs: 100 }));
    const { run } = await takeOne(jobs);
    await jobs.retry(run, NOW + 1_000, OVERLOADED, UNKNOWN);
    // To be handed back is not to have run.
    await jobs.handBack((await takeOne(jobs)).run, NOW, NOW, cost(0n));
    expect(await jobs.expire(NOW + 500)).toBe(1);
    expect(await jobs.get("b", OWNER)).toMatchObject({ state: "expired" });
    expect(idsOf(await jobs.take(3, NOW + 1_000))).toEqual(["a"]);
  });

  it("may be waited for no longer where they are handed back, but for the time that they took", async () => {
    const { jobs } = await open();
    await submit(jobs, jobOf("a", { startWithinMs: 1_000 }));
    await jobs.handBack((await takeOne(jobs, NOW + 100)).run, NOW + 110, NOW + 900, cost(0n));
    expect(await jobs.get("a", OWNER)).toMatchObject({ dueAtMs: NOW + 900, runs: 0 });
    // As one that was to be cut off when its process stopped.
    await jobs.handBack((await takeOne(jobs, NOW + 1_000)).run, NOW + 61_000, NOW + 61_000, cost(0n));
    expect(await jobs.expire(NOW + 61_010)).toBe(0);
    await jobs.handBack((await takeOne(jobs, NOW + 61_010)).run, NOW + 61_010, NOW + 70_000, cost(0n));
    expect(await jobs.expire(NOW + 61_011)).toBe(1);
    expect(await jobs.get("a", OWNER)).toMatchObject({ state: "expired" });
  });

  it("expire by the thousand", async () => {
    const { jobs } = await open();
    const ids = Array.from({ length: 2_500 }, (_, index) => `${index}`);
    const drafts = ids.map((id) => jobOf(id, { startWithinMs: 1 }));
    await jobs.submit(submissionOf(drafts, { maxPending: 10_000, maxStored: 10_000 }));
    expect(await jobs.expire(NOW + 2)).toBe(2_500);
    expect((await jobs.counts(NOW)).byState).toMatchObject({ pending: 0, expired: 2_500 });
  });

  it("are never given twice, however many ask at the same time", async () => {
    const { jobs } = await open();
    await submit(jobs, ...Array.from({ length: 50 }, (_, index) => jobOf(`${index}`)));
    const taken = (await Promise.all(Array.from({ length: 12 }, () => jobs.take(5, NOW)))).flat();
    expect(taken).toHaveLength(50);
    expect(new Set(idsOf(taken)).size).toBe(50);
  });

  it("are this process's while they are renewed", async () => {
    const { jobs } = await open();
    await submit(jobs, jobOf("a"), jobOf("b"));
    const [first, second] = (await jobs.take(2, NOW)).map(runOf);
    if (!first || !second) throw new Error("two are due");
    const renewedAt = NOW + LEASE_MS - 1;
    expect(
      await jobs.renew(
        [
          { ...second, partial: undefined },
          { ...first, partial: undefined },
        ],
        renewedAt,
      ),
    ).toEqual([
      { ...second, order: "go on" },
      { ...first, order: "go on" },
    ]);
    expect(idsOf(await jobs.take(2, renewedAt + LEASE_MS - 1))).toEqual([]);
    await jobs.cancel({ jobId: "a" }, OWNER, NOW);
    await jobs.finish(second, endingOf());
    const gone = [{ jobId: "none", run: 1 }, { jobId: "a", run: 2 }, second];
    expect(
      await jobs.renew(
        [first, ...gone].map((run) => ({ ...run, partial: undefined })),
        renewedAt,
      ),
    ).toEqual([{ ...first, order: "cancel" }, ...gone.map((run) => ({ ...run, order: "lost" }))]);
    expect(await jobs.renew([], NOW)).toEqual([]);
  });

  it("show what they have said by now, until they end", async () => {
    const { jobs } = await open();
    await submit(jobs, jobOf("a"));
    const partial = async () => (await jobs.get("a", OWNER))?.partial;
    const first = await takeOne(jobs);
    await jobs.renew([{ ...first.run, partial: "Hello, ä" }], NOW);
    expect(await partial()).toBe("Hello, ä");
    await jobs.renew([{ ...first.run, partial: undefined }], NOW);
    expect(await partial()).toBe("Hello, ä");
    await jobs.renew([{ jobId: "a", run: 7, partial: "another's" }], NOW);
    expect(await partial()).toBe("Hello, ä");
    await jobs.retry(first.run, NOW, OVERLOADED, UNKNOWN);
    expect(await partial()).toBe("");
    const second = await takeOne(jobs);
    await jobs.renew([{ ...second.run, partial: "again" }], NOW);
    await jobs.handBack(second.run, NOW, NOW, cost(0n));
    expect(await partial()).toBe("");
    const third = await takeOne(jobs);
    await jobs.renew([{ ...third.run, partial: "and again" }], NOW);
    await jobs.finish(third.run, endingOf());
    expect(await partial()).toBe("");
  });

  it("are lost when they are not renewed, and another begins", async () => {
    const { jobs } = await open();
    await submit(jobs, jobOf("a", { startWithinMs: 10 }), jobOf("b"));
    const first = await takeOne(jobs);
    await jobs.renew([{ ...first.run, partial: "half" }], NOW);
    expect(await jobs.park(first.run, "batch_123")).toBe(true);
    const lostAt = NOW + LEASE_MS;
    // It comes to its turn with the others, of which each is taken once.
    const [again, other] = await jobs.take(5, lostAt);
    expect(idsOf(again && other ? [again, other] : [])).toEqual(["a", "b"]);
    expect(again).toMatchObject({
      job: {
        state: "running",
        runs: 2,
        lostRuns: 1,
        startedAtMs: lostAt,
        // What goes on elsewhere is not lost.
        costPicoUsd: 0n,
        partial: "",
      },
      parked: "batch_123",
    });
    expect(other?.parked).toBeUndefined();
    // Whatever the lost one comes to is not kept.
    expect(await jobs.renew([{ ...first.run, partial: "late" }], lostAt)).toMatchObject([{ order: "lost" }]);
    expect(await jobs.park(first.run, "late")).toBe(false);
    expect(await jobs.retry(first.run, NOW, OVERLOADED, cost(1n))).toBe(false);
    expect(await jobs.handBack(first.run, NOW, NOW, cost(0n))).toBe(false);
    expect(await jobs.finish(first.run, endingOf())).toBe(false);
    const second = { jobId: "a", run: 2 };
    expect(await jobs.get("a", OWNER)).toMatchObject({
      state: "running",
      runs: 2,
      partial: "",
      failure: undefined,
    });
    expect(await jobs.finish(second, endingOf())).toBe(true);
    expect(await jobs.get("a", OWNER)).toMatchObject({ runs: 2, lostRuns: 1, costPicoUsd: 500n });
  });

  it("go on when they are renewed late, and nobody has taken them", async () => {
    const { jobs } = await open();
    await submit(jobs, jobOf("a"), jobOf("b"));
    const runs = (await jobs.take(2, NOW)).map(runOf);
    const late = NOW + LEASE_MS + 1;
    // Of those that are lost at the same time, any may be the next.
    const [lost] = idsOf(await jobs.take(1, late));
    const other = runs.find(({ jobId }) => jobId !== lost);
    if (!other) throw new Error("two are due");
    expect(await jobs.renew([{ ...other, partial: undefined }], late)).toMatchObject([{ order: "go on" }]);
    expect(idsOf(await jobs.take(1, late))).toEqual([]);
    expect(await jobs.finish(other, endingOf())).toBe(true);
    expect(await jobs.get(other.jobId, OWNER)).toMatchObject({ lostRuns: 0, costPicoUsd: 500n });
  });

  it("are renewed late by the thousand with hardly more statements than in time", async () => {
    const { jobs } = await open();
    const drafts = Array.from({ length: 1_000 }, (_, index) => jobOf(`${index}`));
    await jobs.submit(submissionOf(drafts));
    const runs = (await jobs.take(1_000, NOW)).map((taken) => ({ ...runOf(taken), partial: undefined }));
    const asked = vi.spyOn(Client.prototype, "query");
    onTestFinished(() => asked.mockRestore());
    const renewed = async (nowMs: number) => {
      const before = asked.mock.calls.length;
      const orders = (await jobs.renew(runs, nowMs)).map(({ order }) => order);
      expect(new Set(orders)).toEqual(new Set(["go on"]));
      return asked.mock.calls.length - before;
    };
    const lateMs = NOW + 2 * LEASE_MS;
    const inTime = await renewed(NOW + 1);
    // Their messages come back, and stay so.
    for (const atMs of [lateMs, lateMs + 1]) expect((await renewed(atMs)) - inTime).toBeLessThan(100);
    expect(await jobs.take(1, lateMs + LEASE_MS)).toEqual([]);
  });

  it("are another's to renew or end only when that one took them", async () => {
    const place = await engine.place();
    const first = await place.open("first");
    await submit(first.jobs, jobOf("a"));
    const { run } = await takeOne(first.jobs);
    await first.close();
    const { jobs } = await place.open("second");
    expect(await jobs.renew([{ ...run, partial: undefined }], NOW)).toMatchObject([{ order: "lost" }]);
    expect(await jobs.finish(run, endingOf())).toBe(false);
    expect((await takeOne(jobs, NOW + LEASE_MS)).job).toMatchObject({
      runs: 2,
      lostRuns: 1,
      // Nobody knows what the lost run had cost.
      costPicoUsd: undefined,
    });
  });

  it("are tried again when they are due, with what they have cost", async () => {
    const { jobs } = await open();
    await submit(jobs, jobOf("a"));
    const first = await takeOne(jobs);
    await jobs.park(first.run, "batch_123");
    expect(await jobs.retry(first.run, NOW + 100, OVERLOADED, cost(2n ** 60n))).toBe(true);
    expect(await jobs.get("a", OWNER)).toMatchObject({
      state: "pending",
      dueAtMs: NOW + 100,
      runs: 1,
      lostRuns: 0,
      costPicoUsd: 2n ** 60n,
      failure: OVERLOADED,
    });
    expect(await jobs.retry(first.run, NOW + 100, OVERLOADED, cost(1n))).toBe(false);
    expect(idsOf(await jobs.take(1, NOW + 99))).toEqual([]);
    const second = await takeOne(jobs, NOW + 100);
    // What it waited for is over.
    expect(second).toMatchObject({ job: { runs: 2, startedAtMs: NOW + 100 }, parked: undefined });
    await jobs.retry(second.run, NOW + 200, REFUSED, cost(1n));
    expect(await jobs.get("a", OWNER)).toMatchObject({ costPicoUsd: 2n ** 60n + 1n, failure: REFUSED });
    const third = await takeOne(jobs, NOW + 200);
    await jobs.retry(third.run, NOW + 300, OVERLOADED, UNKNOWN);
    expect(await jobs.get("a", OWNER)).toMatchObject({ costPicoUsd: undefined });
    const fourth = await takeOne(jobs, NOW + 300);
    await jobs.finish(fourth.run, endingOf());
    expect(await jobs.get("a", OWNER)).toMatchObject({ costPicoUsd: undefined, runs: 4 });
  });

  it("are not counted when they are handed back, but for what they cost, and are due at once", async () => {
    const { jobs } = await open();
    await submit(jobs, jobOf("a"));
    const first = await takeOne(jobs);
    await jobs.park(first.run, "batch_123");
    expect(await jobs.handBack(first.run, NOW, NOW, cost(7n))).toBe(true);
    expect(await jobs.handBack(first.run, NOW, NOW, cost(0n))).toBe(false);
    expect(await jobs.finish(first.run, endingOf())).toBe(false);
    expect(await jobs.get("a", OWNER)).toMatchObject({
      state: "pending",
      runs: 0,
      lostRuns: 0,
      costPicoUsd: 7n,
      failure: undefined,
    });
    // What it waits for goes on.
    expect(await takeOne(jobs)).toMatchObject({ job: { runs: 1 }, parked: "batch_123" });
  });

  it("may be handed back with what became of what they waited for, which is gone then", async () => {
    const { jobs } = await open();
    await submit(jobs, jobOf("a"), jobOf("b"));
    const { run: a } = await takeOne(jobs);
    const { run: b } = await takeOne(jobs);
    await jobs.park(a, "batch_123");
    expect(await jobs.handBack(a, NOW, NOW, cost(0n), OVERLOADED)).toBe(true);
    const told = { state: "pending", runs: 0, startedAtMs: undefined, failure: OVERLOADED };
    expect(await jobs.get("a", OWNER)).toMatchObject(told);
    expect(await takeOne(jobs)).toMatchObject({ job: { jobId: "a", runs: 1 }, parked: undefined });
    // Who has it next only ends it.
    await jobs.cancel({ jobId: "b" }, OWNER, NOW);
    await jobs.handBack(b, NOW, NOW + 3_600_000, cost(0n));
    expect(await takeOne(jobs)).toMatchObject({ job: { jobId: "b", cancelRequested: true } });
  });

  it("are due at once where they are to be cancelled and have something parked, which somebody must end", async () => {
    const { jobs } = await open();
    await jobs.submit(batchOf("batch", ["a", "b"]));
    for (const place of ["batch_1 a", "batch_1 b"]) {
      const { run } = await takeOne(jobs);
      await jobs.park(run, place);
      await jobs.handBack(run, NOW, NOW + 600_000, cost(0n));
    }
    expect(idsOf(await jobs.take(2, NOW))).toEqual([]);
    await jobs.cancel({ jobId: "a" }, OWNER, NOW);
    const a = await takeOne(jobs);
    expect(a).toMatchObject({ job: { jobId: "a", cancelRequested: true }, parked: "batch_1 a" });
    // Where its provider cannot be asked, that is tried again when it is due.
    await jobs.handBack(a.run, NOW, NOW + 5_000, cost(0n));
    expect(idsOf(await jobs.take(2, NOW))).toEqual([]);
    await jobs.cancel({ batchId: "batch" }, OWNER, NOW);
    await jobs.cancel({ batchId: "batch" }, OWNER, NOW);
    expect(await takeOne(jobs)).toMatchObject({
      job: { jobId: "b", cancelRequested: true },
      parked: "batch_1 b",
    });
  });

  it("end once, and keep what they came to", async () => {
    const { jobs } = await open();
    await submit(jobs, jobOf("a"), jobOf("b"), jobOf("c"));
    const [a, b, c] = (await jobs.take(3, NOW)).map(runOf);
    if (!a || !b || !c) throw new Error("three are due");
    const told = await Promise.all([
      jobs.finish(a, endingOf({ atMs: NOW + 7 })),
      jobs.finish(a, endingOf({ atMs: NOW + 7 })),
    ]);
    expect(told.filter((kept) => kept)).toHaveLength(1);
    expect(await jobs.finish(a, endingOf({ state: "failed", result: undefined }))).toBe(false);
    expect(await jobs.get("a", OWNER)).toMatchObject({
      state: "completed",
      startedAtMs: NOW,
      endedAtMs: NOW + 7,
      failure: undefined,
      costPicoUsd: 500n,
      runs: 1,
    });
    expect(await jobs.result("a")).toEqual(new Uint8Array([4, 5]));
    await jobs.finish(
      b,
      endingOf({ state: "failed", failure: REFUSED, result: undefined, costPicoUsd: undefined }),
    );
    expect(await jobs.get("b", OWNER)).toMatchObject({
      state: "failed",
      failure: REFUSED,
      costPicoUsd: undefined,
    });
    expect(await jobs.result("b")).toBeUndefined();
    expect(await jobs.retry(b, NOW, OVERLOADED, UNKNOWN)).toBe(false);
    await jobs.finish(c, endingOf({ state: "cancelled", ...cost(3n) }));
    expect(await jobs.get("c", OWNER)).toMatchObject({ state: "cancelled", costPicoUsd: 3n });
    expect(await jobs.take(3, NOW + 10 * LEASE_MS)).toEqual([]);
  });

  it("leave the failure of the last that failed, though a later one went well", async () => {
    const { jobs } = await open();
    await submit(jobs, jobOf("a"));
    await jobs.retry((await takeOne(jobs)).run, NOW, OVERLOADED, cost(1n));
    await jobs.finish((await takeOne(jobs)).run, endingOf());
    expect(await jobs.get("a", OWNER)).toMatchObject({
      state: "completed",
      failure: OVERLOADED,
      costPicoUsd: 501n,
    });
  });

  it("do not begin when the job is cancelled before, and are asked to end when it is later", async () => {
    const { jobs } = await open();
    await submit(jobs, jobOf("a"), jobOf("b"), jobOf("c"));
    expect(await jobs.cancel({ jobId: "none" }, OWNER, NOW)).toBe(false);
    expect(await jobs.cancel({ jobId: "a" }, OWNER, NOW + 5)).toBe(true);
    const cancelled = await jobs.get("a", OWNER);
    expect(cancelled).toMatchObject({
      state: "cancelled",
      endedAtMs: NOW + 5,
      failure: undefined,
      costPicoUsd: 0n,
    });
    const [b, c] = (await jobs.take(3, NOW)).map(runOf);
    if (!b || !c) throw new Error("two are due");
    expect(await jobs.cancel({ jobId: "b" }, OWNER, NOW + 6)).toBe(true);
    expect(await jobs.get("b", OWNER)).toMatchObject({
      state: "running",
      cancelRequested: true,
      endedAtMs: undefined,
    });
    await jobs.finish(c, endingOf());
    const completed = await jobs.get("c", OWNER);
    for (const jobId of ["a", "c"]) expect(await jobs.cancel({ jobId }, OWNER, NOW + 9)).toBe(true);
    expect(await jobs.get("a", OWNER)).toEqual(cancelled);
    expect(await jobs.get("c", OWNER)).toEqual(completed);
    // Whoever has it next is told, and need not wait for long.
    await jobs.retry(b, NOW + 60_000, OVERLOADED, cost(1n));
    expect((await takeOne(jobs)).job).toMatchObject({ jobId: "b", cancelRequested: true, runs: 2 });
  });
});
