/** What is asked of the store of jobs holds on each engine: batches, their outcomes and the webhooks of both. */
import { afterAll, describe, expect, it } from "vitest";
import type { BatchOutcome } from "../../src/core/job-store.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { PAGE_BYTES } from "../../src/store/page.ts";
import {
  batchOf,
  endingOf,
  jobEngines,
  jobOf,
  NOW,
  OWNER,
  runOf,
  submissionOf,
  submit,
  takeOne,
} from "../support/jobs.ts";

const HOOK = "https://example.com/hook";
const NONE = { pending: 0, running: 0, completed: 0, failed: 0, cancelled: 0, expired: 0 };

describe.each(jobEngines("batches of jobs"))("batches of jobs on $name", (engine) => {
  afterAll(() => engine.stop());

  const open = async () => (await engine.place()).open();

  it("tell how far they are and what they cost", async () => {
    const { jobs } = await open();
    await jobs.submit(batchOf("batch", ["a", "b", "c", "d"], { callbackUrl: HOOK }));
    expect(await jobs.batch("none", OWNER)).toBeUndefined();
    expect(await jobs.batch("batch", OWNER)).toEqual({
      ...OWNER,
      batchId: "batch",
      createdAtMs: NOW,
      callbackUrl: HOOK,
      cancelled: false,
      endedAtMs: undefined,
      counts: { ...NONE, pending: 4 },
      estimatedPicoUsd: 3_600n,
      costPicoUsd: 0n,
    });
    expect(await jobs.get("a", OWNER)).toMatchObject({ batchId: "batch", customId: "custom a" });
    const taken = await jobs.take(3, NOW);
    const [first, second, third] = taken.map(runOf);
    if (!first || !second || !third) throw new Error("three are due");
    await jobs.finish(first, endingOf());
    await jobs.finish(second, endingOf({ state: "failed", costPicoUsd: 7n as PicoUsd }));
    expect(await jobs.batch("batch", OWNER)).toMatchObject({
      endedAtMs: undefined,
      counts: { ...NONE, pending: 1, running: 1, completed: 1, failed: 1 },
      costPicoUsd: 507n,
    });
    await jobs.finish((await takeOne(jobs)).run, endingOf());
    await jobs.finish(third, endingOf({ atMs: NOW + 9, costPicoUsd: undefined }));
    expect(await jobs.batch("batch", OWNER)).toMatchObject({
      endedAtMs: NOW + 9,
      counts: { ...NONE, completed: 3, failed: 1 },
      costPicoUsd: undefined,
    });
  });

  it("add up to more than a job can cost", async () => {
    const { jobs } = await open();
    const most = (2n ** 63n - 1n) as PicoUsd;
    const { batch, jobs: drafts } = batchOf("batch", ["a", "b"], {}, { estimatedPicoUsd: most });
    await jobs.submit(submissionOf(drafts, { batch }));
    for (const taken of await jobs.take(2, NOW))
      await jobs.finish(runOf(taken), endingOf({ costPicoUsd: most }));
    expect(await jobs.batch("batch", OWNER)).toMatchObject({
      estimatedPicoUsd: 2n * most,
      costPicoUsd: 2n * most,
    });
    const unpriced = jobOf("d", { batchId: "other", estimatedPicoUsd: undefined });
    const other = batchOf("other", ["c"]);
    await jobs.submit({ ...other, jobs: [...other.jobs, unpriced] });
    expect(await jobs.batch("other", OWNER)).toMatchObject({ estimatedPicoUsd: undefined, costPicoUsd: 0n });
  });

  it("give their outcomes in the order of their end, to whoever comes again as well", async () => {
    const { jobs } = await open();
    await jobs.submit(batchOf("batch", ["a", "b", "c", "d", "e"]));
    await jobs.submit(batchOf("other", ["f"]));
    const page = (size: number, after: string | undefined) => jobs.outcomes("batch", OWNER, { size, after });
    const start = await page(2, undefined);
    expect(start.rows).toEqual([]);
    const runs = new Map((await jobs.take(6, NOW)).map((taken) => [taken.job.jobId, runOf(taken)]));
    const finish = async (jobId: string, atMs: number) => {
      const run = runs.get(jobId);
      if (!run) throw new Error(`${jobId} does not run`);
      await jobs.finish(run, endingOf({ atMs, result: new TextEncoder().encode(jobId) }));
    };
    await finish("c", NOW + 5);
    await finish("f", NOW + 5);
    const first = await page(2, start.next);
    expect(namesOf(first.rows)).toBe("c");
    expect(first.rows[0]).toEqual({
      job: await jobs.get("c", OWNER),
      result: new Uint8Array(new TextEncoder().encode("c")),
    });
    const empty = await page(2, first.next);
    expect(empty.rows).toEqual([]);
    // At the same time, and by a clock that is behind.
    await finish("a", NOW + 5);
    await finish("e", NOW + 4);
    await finish("b", NOW + 5);
    const second = await page(2, empty.next);
    expect(namesOf(second.rows)).toBe("ae");
    const third = await page(2, second.next);
    expect(namesOf(third.rows)).toBe("b");
    expect(third.next).toBeDefined();
    await finish("d", NOW + 6);
    const last = await page(2, third.next);
    expect(namesOf(last.rows)).toBe("d");
    expect(last.next).toBeUndefined();
    const all = await page(5, undefined);
    expect(namesOf(all.rows)).toBe("caebd");
    expect(all.next).toBeUndefined();
    expect(namesOf((await page(4, undefined)).rows)).toBe("caeb");
    expect((await page(4, undefined)).next).toBeDefined();
  });

  it("give no more at once than fits into a page, and all of it page by page", async () => {
    const { jobs } = await open();
    const ids = ["a", "b", "c", "d", "e", "f"];
    await jobs.submit(batchOf("batch", ids));
    const result = new Uint8Array(PAGE_BYTES / 2);
    const [small, ...large] = await jobs.take(6, NOW);
    if (!small) throw new Error("six are due");
    await jobs.finish(runOf(small), endingOf({ result: undefined }));
    for (const taken of large) await jobs.finish(runOf(taken), endingOf({ result }));
    const pages: number[] = [];
    let after: string | undefined;
    do {
      const page = await jobs.outcomes("batch", OWNER, { size: 100, after });
      pages.push(page.rows.length);
      after = page.next;
    } while (after);
    expect(pages).toEqual([3, 2, 1]);
  });

  it("end with the last of their jobs, with one webhook, though all end at the same time", async () => {
    const { jobs, outbox } = await open();
    const ids = Array.from({ length: 30 }, (_, index) => `${index}`);
    await jobs.submit(batchOf("batch", ids, { callbackUrl: HOOK }));
    const taken = await jobs.take(30, NOW);
    const last = taken.pop();
    await Promise.all(taken.map((one) => jobs.finish(runOf(one), endingOf())));
    expect((await outbox.counts()).pending).toBe(0);
    expect(await outbox.get("batch", OWNER)).toBeUndefined();
    if (last) await jobs.finish(runOf(last), endingOf({ atMs: NOW + 3 }));
    expect(await outbox.get("batch", OWNER)).toEqual({
      ...OWNER,
      webhookId: "batch",
      subject: "batch",
      url: HOOK,
      state: "pending",
      attempts: 0,
      createdAtMs: NOW + 3,
      dueAtMs: NOW + 3,
      sinceMs: NOW + 3,
      deliveredAtMs: undefined,
    });
    expect((await outbox.counts()).pending).toBe(1);
    const outcomes = await jobs.outcomes("batch", OWNER, { size: 50, after: undefined });
    expect(outcomes.rows).toHaveLength(30);
  });

  it("end though the last of their jobs end at the very same time", async () => {
    const { jobs, outbox } = await open();
    const batches = ["x", "y", "z"];
    for (const id of batches)
      await jobs.submit(batchOf(id, [`${id}1`, `${id}2`, `${id}3`], { callbackUrl: HOOK }));
    const taken = await jobs.take(9, NOW);
    await Promise.all(taken.map((one) => jobs.finish(runOf(one), endingOf())));
    expect((await outbox.counts()).pending).toBe(3);
    for (const id of batches) {
      expect(await jobs.batch(id, OWNER)).toMatchObject({ endedAtMs: NOW, counts: { completed: 3 } });
    }
  });

  it("have the jobs that wait end when they are cancelled, and ask for the end of those that run", async () => {
    const { jobs, outbox } = await open();
    await jobs.submit(batchOf("batch", ["a", "b", "c", "d"], { callbackUrl: HOOK }));
    await submit(jobs, jobOf("z"));
    const [a, b] = (await jobs.take(2, NOW)).map(runOf);
    if (!a || !b) throw new Error("two are due");
    await jobs.finish(a, endingOf());
    expect(await jobs.cancel({ batchId: "none" }, OWNER, NOW)).toBe(false);
    expect(await jobs.cancel({ batchId: "batch" }, OWNER, NOW + 1)).toBe(true);
    expect(await jobs.batch("batch", OWNER)).toMatchObject({
      cancelled: true,
      endedAtMs: undefined,
      counts: { ...NONE, running: 1, completed: 1, cancelled: 2 },
    });
    expect(await jobs.get("b", OWNER)).toMatchObject({ state: "running", cancelRequested: true });
    expect(await jobs.get("z", OWNER)).toMatchObject({ state: "pending" });
    expect(await outbox.get("batch", OWNER)).toBeUndefined();
    await jobs.finish(b, endingOf({ state: "cancelled" }));
    expect(await jobs.batch("batch", OWNER)).toMatchObject({ endedAtMs: NOW });
    expect(await outbox.get("batch", OWNER)).toBeDefined();
    const ended = await jobs.batch("batch", OWNER);
    expect(await jobs.cancel({ batchId: "batch" }, OWNER, NOW + 9)).toBe(true);
    expect(await jobs.batch("batch", OWNER)).toEqual(ended);
    // One that ended by itself was not cancelled.
    await jobs.submit(batchOf("other", ["e"]));
    for (const taken of await jobs.take(2, NOW)) await jobs.finish(runOf(taken), endingOf());
    expect(await jobs.cancel({ batchId: "other" }, OWNER, NOW)).toBe(true);
    expect(await jobs.batch("other", OWNER)).toMatchObject({ cancelled: false });
  });

  it("end by the cancellation or expiry of their last job as well", async () => {
    const { jobs, outbox } = await open();
    await jobs.submit(batchOf("all", ["a", "b"], { callbackUrl: HOOK }));
    await jobs.cancel({ batchId: "all" }, OWNER, NOW + 1);
    await jobs.submit(batchOf("one", ["c"], { callbackUrl: HOOK }));
    await jobs.cancel({ jobId: "c" }, OWNER, NOW + 2);
    await jobs.submit(batchOf("late", ["d", "e"], { callbackUrl: HOOK }, { startWithinMs: 1 }));
    await jobs.expire(NOW + 3);
    for (const [id, endedAtMs] of [
      ["all", NOW + 1],
      ["one", NOW + 2],
      ["late", NOW + 3],
    ] as const) {
      expect(await jobs.batch(id, OWNER)).toMatchObject({ endedAtMs, cancelled: id === "all" });
      expect(await outbox.get(id, OWNER)).toMatchObject({ subject: "batch", createdAtMs: endedAtMs });
    }
    expect((await outbox.counts()).pending).toBe(3);
  });

  it("leave a webhook of its own to each job that asks for one, however it ends", async () => {
    const { jobs, outbox } = await open();
    const hook = { callbackUrl: HOOK };
    const batch = batchOf("batch", ["a"], hook);
    await jobs.submit({ ...batch, jobs: [...batch.jobs, jobOf("b", { ...hook, batchId: "batch" })] });
    await submit(
      jobs,
      jobOf("c", hook),
      jobOf("d", { ...hook, startWithinMs: 1 }),
      jobOf("e"),
      jobOf("f", hook),
    );
    for (const taken of await jobs.take(3, NOW)) await jobs.finish(runOf(taken), endingOf({ atMs: NOW + 1 }));
    await jobs.expire(NOW + 2);
    for (const jobId of ["e", "f"]) await jobs.cancel({ jobId }, OWNER, NOW + 3);
    const { rows } = await outbox.list(undefined, OWNER, { size: 10, after: undefined });
    expect(
      rows.map(({ webhookId, subject, createdAtMs }) => [webhookId, subject, createdAtMs - NOW]),
    ).toEqual([
      ["f", "job", 3],
      ["d", "job", 2],
      ["c", "job", 1],
      ["batch", "batch", 1],
      ["b", "job", 1],
    ]);
  });
});

function namesOf(rows: readonly BatchOutcome[]): string {
  return rows.map(({ job }) => job.jobId).join("");
}
