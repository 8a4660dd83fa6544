/** What is asked of the store of jobs holds on each engine: submission, reading, counting and forgetting. */
import { afterAll, describe, expect, it } from "vitest";
import type { JobFilter, JobRecord, Paging } from "../../src/core/job-store.ts";
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

const STRANGERS = [
  { tenant: "other", principal: OWNER.principal },
  { tenant: OWNER.tenant, principal: "other" },
];
/** Before anything ended. */
const EVER = 0;

describe.each(jobEngines("the store of jobs"))("the store of jobs on $name", (engine) => {
  afterAll(() => engine.stop());

  const open = async () => (await engine.place()).open();

  it("gives back what was submitted", async () => {
    const { jobs } = await open();
    const { request, ...draft } = jobOf("a", {
      customId: "mine",
      priority: -3,
      createdAtMs: NOW - 5,
      dueAtMs: NOW - 3,
      startWithinMs: 30 * 24 * 3_600_000,
      metadata: { team: "search", "a.b": 'quote " and ä' },
      callbackUrl: "https://example.com/hook?a=b",
      // More than a double holds.
      estimatedPicoUsd: (2n ** 60n + 1n) as PicoUsd,
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      request: new Uint8Array([0, 255, 7]),
    });
    expect(await submit(jobs, { ...draft, request })).toEqual({ outcome: "stored" });
    expect(await jobs.get("a", OWNER)).toEqual({
      ...draft,
      state: "pending",
      startedAtMs: undefined,
      endedAtMs: undefined,
      runs: 0,
      lostRuns: 0,
      costPicoUsd: 0n,
      failure: undefined,
      cancelRequested: false,
      partial: "",
      purged: false,
    });
    expect(await jobs.result("a")).toBeUndefined();
    const [taken] = await jobs.take(1, NOW);
    expect(taken?.request).toEqual(new Uint8Array([0, 255, 7]));
    expect(taken?.parked).toBeUndefined();
    expect(taken?.job).toEqual({
      ...(await jobs.get("a", OWNER)),
      state: "running",
      startedAtMs: NOW,
      runs: 1,
    });
    await submit(jobs, jobOf("b", { estimatedPicoUsd: undefined }));
    expect((await jobs.get("b", OWNER))?.estimatedPicoUsd).toBeUndefined();
  });

  it("keeps all of it when it opens anew", async () => {
    const place = await engine.place();
    const first = await place.open("first");
    await submit(first.jobs, jobOf("a"), jobOf("b"));
    await first.jobs.finish((await takeOne(first.jobs)).run, endingOf());
    const before = [await first.jobs.get("a", OWNER), await first.jobs.get("b", OWNER)];
    await first.close();
    const { jobs } = await place.open("second");
    expect([await jobs.get("a", OWNER), await jobs.get("b", OWNER)]).toEqual(before);
    expect(await jobs.result("a")).toEqual(new Uint8Array([4, 5]));
  });

  it("shows nobody what is another's", async () => {
    const { jobs } = await open();
    await jobs.submit(batchOf("batch", ["a"]));
    await jobs.finish((await takeOne(jobs)).run, endingOf());
    const paging = { size: 10, after: undefined };
    for (const stranger of STRANGERS) {
      expect(await jobs.get("a", stranger)).toBeUndefined();
      expect(await jobs.batch("batch", stranger)).toBeUndefined();
      expect(await jobs.list({}, stranger, paging)).toEqual({ rows: [], next: undefined });
      expect(await jobs.outcomes("batch", stranger, paging)).toEqual({ rows: [], next: undefined });
      expect(await jobs.cancel({ jobId: "a" }, stranger, NOW)).toBe(false);
      expect(await jobs.cancel({ batchId: "batch" }, stranger, NOW)).toBe(false);
    }
    expect(await jobs.get("a", OWNER)).toBeDefined();
    expect(await jobs.batch("batch", OWNER)).toMatchObject({ cancelled: false });
  });

  it("keeps all of a submission or nothing, and goes on", async () => {
    const { jobs } = await open();
    const { batch, jobs: drafts } = batchOf("batch", ["a", "b"]);
    const wrong = jobOf("c", { batchId: "batch", createdAtMs: "never" as never });
    await expect(
      jobs.submit(submissionOf([...drafts, wrong], { batch, idempotencyKey: "key" })),
    ).rejects.toThrow();
    expect(await jobs.get("a", OWNER)).toBeUndefined();
    expect(await jobs.batch("batch", OWNER)).toBeUndefined();
    expect((await jobs.counts(NOW)).byState.pending).toBe(0);
    expect(await jobs.submit(submissionOf(drafts, { batch, idempotencyKey: "key" }))).toEqual({
      outcome: "stored",
    });
    expect((await jobs.counts(NOW)).byState.pending).toBe(2);
  });

  it("takes what bears a key once, and tells whether it is the same", async () => {
    const { jobs } = await open();
    const key = { idempotencyKey: "key", fingerprint: "one" };
    expect(await jobs.submit(submissionOf([jobOf("a")], key))).toEqual({ outcome: "stored" });
    expect(await jobs.submit(submissionOf([jobOf("b")], key))).toEqual({
      outcome: "repeated",
      id: "a",
      same: true,
    });
    expect(await jobs.submit(submissionOf([jobOf("c")], { ...key, fingerprint: "two" }))).toEqual({
      outcome: "repeated",
      id: "a",
      same: false,
    });
    for (const [index, stranger] of STRANGERS.entries()) {
      expect(await jobs.submit(submissionOf([jobOf(`d${index}`, stranger)], key))).toEqual({
        outcome: "stored",
      });
    }
    expect(await jobs.submit({ ...batchOf("batch", ["e"]), idempotencyKey: "key 2" })).toEqual({
      outcome: "stored",
    });
    expect(await jobs.submit({ ...batchOf("other", ["f"]), idempotencyKey: "key 2" })).toEqual({
      outcome: "repeated",
      id: "batch",
      same: true,
    });
    expect(await jobs.get("b", OWNER)).toBeUndefined();
    expect(await jobs.batch("other", OWNER)).toBeUndefined();
    expect((await jobs.counts(NOW)).byState.pending).toBe(4);
  });

  it("takes what bears a key once, though it comes twice at the same time", async () => {
    const { jobs } = await open();
    const ids = ["a", "b", "c", "d", "e"];
    const told = await Promise.all(
      ids.map((id) => jobs.submit(submissionOf([jobOf(id)], { idempotencyKey: "key", fingerprint: "one" }))),
    );
    expect(told.filter(({ outcome }) => outcome === "stored")).toHaveLength(1);
    const id = ids[told.findIndex(({ outcome }) => outcome === "stored")];
    for (const submitted of told.filter(({ outcome }) => outcome !== "stored")) {
      expect(submitted).toEqual({ outcome: "repeated", id, same: true });
    }
    expect((await jobs.counts(NOW)).byState.pending).toBe(1);
  });

  it("refuses what is beyond its limits, and stores nothing of it", async () => {
    const { jobs } = await open();
    const limits = { maxPending: 3, maxStored: 5 };
    const full = (limit: string) => ({ outcome: "full", limit });
    await jobs.submit(submissionOf([jobOf("a"), jobOf("b")], { ...limits, idempotencyKey: "key" }));
    // Whosever they are.
    const [other] = STRANGERS;
    const refused = batchOf("batch", ["c", "d"], other);
    expect(await jobs.submit({ ...refused, ...limits, idempotencyKey: "2" })).toEqual(full("max_pending"));
    expect(await jobs.batch("batch", OWNER)).toBeUndefined();
    expect((await jobs.counts(NOW)).byState.pending).toBe(2);
    // Neither runs nor what has ended waits, but all are stored.
    await jobs.take(1, NOW);
    expect(await jobs.submit({ ...refused, ...limits, idempotencyKey: "2" })).toEqual({ outcome: "stored" });
    const taken = await jobs.take(3, NOW);
    for (const one of taken) await jobs.finish(runOf(one), endingOf());
    expect(await jobs.submit(submissionOf([jobOf("e"), jobOf("f")], limits))).toEqual(full("max_stored"));
    expect(await jobs.get("e", OWNER)).toBeUndefined();
    expect(await jobs.submit(submissionOf([jobOf("e")], limits))).toEqual({ outcome: "stored" });
    // What is there already needs no room.
    expect(await jobs.submit(submissionOf([jobOf("g")], { ...limits, idempotencyKey: "key" }))).toMatchObject(
      {
        outcome: "repeated",
        id: "a",
      },
    );
    await jobs.purge(NOW + 1, NOW + 1);
    expect(await jobs.submit(submissionOf([jobOf("f"), jobOf("g")], limits))).toEqual({ outcome: "stored" });
  });

  it("keeps to its limits though many come at the same time", async () => {
    const { jobs } = await open();
    const told = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        jobs.submit(submissionOf([jobOf(`${index}`)], { maxPending: 7 })),
      ),
    );
    expect(told.filter(({ outcome }) => outcome === "stored")).toHaveLength(7);
    expect((await jobs.counts(NOW)).byState.pending).toBe(7);
  });

  it("lists the newest first, by what is asked for", async () => {
    const { jobs } = await open();
    await submit(jobs, jobOf("a", { createdAtMs: NOW - 30, model: "claude/m" }));
    await submit(jobs, jobOf("b", { createdAtMs: NOW - 20 }), jobOf("c", { createdAtMs: NOW - 20 }));
    await jobs.submit(batchOf("batch", ["d", "e"], {}, { createdAtMs: NOW - 10 }));
    await submit(jobs, jobOf("f", { tenant: "other" }));
    await jobs.finish((await takeOne(jobs)).run, endingOf());
    const listed = async (filter: JobFilter) =>
      (await jobs.list(filter, OWNER, { size: 10, after: undefined })).rows
        .map(({ jobId }) => jobId)
        .join("");
    expect(await listed({})).toBe("edcba");
    expect(await listed({ state: "completed" })).toBe("a");
    expect(await listed({ state: "pending" })).toBe("edcb");
    expect(await listed({ state: "running" })).toBe("");
    expect(await listed({ batchId: "batch" })).toBe("ed");
    expect(await listed({ model: "claude/m" })).toBe("a");
    expect(await listed({ createdAfterMs: NOW - 20 })).toBe("edcb");
    expect(await listed({ createdBeforeMs: NOW - 20 })).toBe("a");
    expect(await listed({ state: "pending", createdAfterMs: NOW - 30, createdBeforeMs: NOW - 10 })).toBe(
      "cb",
    );
    const { rows } = await jobs.list({ state: "completed" }, OWNER, { size: 1, after: undefined });
    expect(rows).toEqual([await jobs.get("a", OWNER)]);
  });

  it("lists page by page, and nothing twice though more comes", async () => {
    const { jobs } = await open();
    const at = (createdAtMs: number, ...ids: string[]) =>
      submit(jobs, ...ids.map((id) => jobOf(id, { createdAtMs })));
    await at(NOW - 30, "a");
    await at(NOW - 20, "b", "c", "d");
    await at(NOW - 10, "e");
    const first = await jobs.list({}, OWNER, { size: 2, after: undefined });
    expect(namesOf(first.rows)).toBe("ed");
    await at(NOW, "f");
    const second = await jobs.list({}, OWNER, { size: 2, after: first.next });
    expect(namesOf(second.rows)).toBe("cb");
    const third = await jobs.list({}, OWNER, { size: 2, after: second.next });
    expect(namesOf(third.rows)).toBe("a");
    expect(third.next).toBeUndefined();
    // A page that ends with the last row is the last.
    expect((await jobs.list({}, OWNER, { size: 6, after: undefined })).next).toBeUndefined();
  });

  it("says of a page token that it did not give that it is wrong", async () => {
    const { jobs, outbox } = await open();
    await jobs.submit(batchOf("batch", ["a", "b"]));
    const { next } = await jobs.list({}, OWNER, { size: 1, after: undefined });
    const wrong = { kind: "invalid_request", violations: [{ field: "page_token" }] };
    const another = next?.replace(/^./, (letter) => (letter === "A" ? "B" : "A"));
    for (const after of ["", "nonsense", "e30", `${next}x`, another ?? "", "[1,2]", "\0"]) {
      const paging: Paging = { size: 1, after };
      await expect(jobs.list({}, OWNER, paging)).rejects.toMatchObject(wrong);
      await expect(jobs.outcomes("batch", OWNER, paging)).rejects.toMatchObject(wrong);
      await expect(outbox.list(undefined, OWNER, paging)).rejects.toMatchObject(wrong);
    }
    // Nor is one of another list.
    await expect(jobs.outcomes("batch", OWNER, { size: 1, after: next })).rejects.toMatchObject(wrong);
    await expect(outbox.list(undefined, OWNER, { size: 1, after: next })).rejects.toMatchObject(wrong);
  });

  it("counts by state, and tells what waits and what hangs", async () => {
    const { jobs } = await open();
    const none = { pending: 0, running: 0, completed: 0, failed: 0, cancelled: 0, expired: 0 };
    expect(await jobs.counts(NOW)).toEqual({ byState: none, oldestDueAtMs: undefined, stuck: 0 });
    await submit(
      jobs,
      jobOf("a", { dueAtMs: NOW - 60, startWithinMs: 10 }),
      jobOf("b", { dueAtMs: NOW - 50 }),
      jobOf("c", { dueAtMs: NOW - 40 }),
      jobOf("d", { dueAtMs: NOW - 30, priority: 7 }),
      jobOf("e", { dueAtMs: NOW - 20, priority: -7, tenant: "other" }),
      jobOf("f", { dueAtMs: NOW + 60_000, priority: 8 }),
    );
    expect(await jobs.counts(NOW)).toMatchObject({ oldestDueAtMs: NOW - 60, stuck: 0 });
    await jobs.expire(NOW);
    expect(idsOf(await jobs.take(1, NOW - 10))).toEqual(["d"]);
    expect(idsOf(await jobs.take(1, NOW))).toEqual(["b"]);
    await jobs.cancel({ jobId: "c" }, OWNER, NOW);
    expect(await jobs.counts(NOW)).toEqual({
      byState: { ...none, pending: 2, running: 2, cancelled: 1, expired: 1 },
      oldestDueAtMs: NOW - 20,
      stuck: 1,
    });
    expect(await jobs.counts(NOW - 10)).toMatchObject({ stuck: 0 });
    expect(await jobs.counts(NOW + 1)).toMatchObject({ stuck: 2 });
    await jobs.finish({ jobId: "b", run: 1 }, endingOf({ state: "failed" }));
    expect((await jobs.counts(NOW)).byState).toEqual({
      ...none,
      pending: 2,
      running: 1,
      cancelled: 1,
      failed: 1,
      expired: 1,
    });
  });

  it("deletes what a job that ended long ago asked and said, and then its record", async () => {
    const place = await engine.place();
    const { jobs } = await place.open();
    await submit(jobs, jobOf("a"), jobOf("b"), jobOf("c"), jobOf("d"));
    const [first, second, third] = await jobs.take(3, NOW);
    if (!first || !second || !third) throw new Error("three are due");
    await jobs.finish(runOf(first), endingOf({ atMs: NOW + 10 }));
    await jobs.finish(runOf(second), endingOf({ atMs: NOW + 20 }));
    const before = await jobs.get("a", OWNER);
    await jobs.purge(NOW + 20, NOW + 10);
    expect(await jobs.get("a", OWNER)).toEqual({ ...before, purged: true });
    expect(await jobs.result("a")).toBeUndefined();
    expect(await jobs.get("b", OWNER)).toMatchObject({ purged: false });
    expect(await jobs.result("b")).toEqual(new Uint8Array([4, 5]));
    await jobs.purge(NOW + 1_000, NOW + 20);
    expect(await jobs.get("a", OWNER)).toBeUndefined();
    expect(await jobs.get("b", OWNER)).toMatchObject({ purged: true });
    // What has not ended stays, however old.
    await jobs.purge(NOW + 1_000, NOW + 1_000);
    expect((await jobs.counts(NOW)).byState).toMatchObject({ pending: 1, running: 1, completed: 0 });
    expect(await jobs.finish(runOf(third), endingOf())).toBe(true);
    expect((await takeOne(jobs)).request).toEqual(new Uint8Array([1, 2, 3]));
  });

  it("deletes nothing whose webhook is pending, and forgets the webhook with the job", async () => {
    const place = await engine.place();
    const { jobs, outbox } = await place.open();
    await submit(jobs, jobOf("a", { callbackUrl: "https://example.com/" }));
    await jobs.submit(batchOf("batch", ["b"], { callbackUrl: "https://example.com/" }));
    for (const taken of await jobs.take(2, NOW)) await jobs.finish(runOf(taken), endingOf());
    await jobs.purge(NOW + 1, NOW + 1);
    for (const id of ["a", "b"]) {
      expect(await jobs.get(id, OWNER)).toMatchObject({ purged: false });
      expect(await jobs.result(id)).toBeDefined();
    }
    for (const { webhookId, attempts } of await outbox.take(2, NOW, 1_000, [])) {
      const delivery = {
        webhookId,
        attempt: attempts,
        startedAtMs: NOW,
        latencyMs: 5,
        httpStatus: 200,
        error: "",
      };
      await outbox.settle(delivery, { state: webhookId === "a" ? "delivered" : "failed" });
    }
    await jobs.purge(NOW + 1, EVER);
    for (const id of ["a", "b"]) expect(await jobs.get(id, OWNER)).toMatchObject({ purged: true });
    expect(await outbox.get("a", OWNER)).toMatchObject({ state: "delivered" });
    expect(await outbox.deliveries("a")).toHaveLength(1);
    await jobs.purge(NOW + 1, NOW + 1);
    for (const id of ["a", "batch"]) {
      expect(await outbox.get(id, OWNER)).toBeUndefined();
      expect(await outbox.deliveries(id)).toEqual([]);
    }
    expect(await jobs.batch("batch", OWNER)).toBeUndefined();
    expect(await place.rows("SELECT * FROM webhook_deliveries")).toEqual([]);
  });

  it("keeps what a batch came to until all of it has ended for so long", async () => {
    const { jobs } = await open();
    await jobs.submit(batchOf("batch", ["a", "b"]));
    await jobs.finish((await takeOne(jobs)).run, endingOf({ atMs: NOW }));
    const { run } = await takeOne(jobs);
    await jobs.purge(NOW + 1_000, NOW + 1_000);
    expect(await jobs.result("a")).toBeDefined();
    expect((await jobs.batch("batch", OWNER))?.counts).toMatchObject({ completed: 1, running: 1 });
    await jobs.finish(run, endingOf({ atMs: NOW + 10 }));
    await jobs.purge(NOW + 10, NOW + 10);
    const { rows } = await jobs.outcomes("batch", OWNER, { size: 5, after: undefined });
    expect(rows.map(({ result }) => result)).toEqual([new Uint8Array([4, 5]), new Uint8Array([4, 5])]);
    await jobs.purge(NOW + 11, EVER);
    for (const id of ["a", "b"]) expect(await jobs.get(id, OWNER)).toMatchObject({ purged: true });
  });

  it("forgets a batch with its jobs, and a key with what bore it", async () => {
    const { jobs } = await open();
    const batch = { ...batchOf("batch", ["a", "b"]), idempotencyKey: "key" };
    await jobs.submit(batch);
    await jobs.submit(submissionOf([jobOf("c")], { idempotencyKey: "key of c" }));
    await jobs.finish((await takeOne(jobs)).run, endingOf({ atMs: NOW }));
    await jobs.finish((await takeOne(jobs)).run, endingOf({ atMs: NOW + 10 }));
    await jobs.purge(NOW + 5, NOW + 5);
    expect(await jobs.batch("batch", OWNER)).toBeDefined();
    expect(await jobs.submit(batch)).toMatchObject({ outcome: "repeated" });
    await jobs.finish((await takeOne(jobs)).run, endingOf());
    await jobs.purge(NOW + 20, NOW + 20);
    expect(await jobs.batch("batch", OWNER)).toBeUndefined();
    expect(await jobs.submit(batch)).toEqual({ outcome: "stored" });
    expect(await jobs.submit(submissionOf([jobOf("c")], { idempotencyKey: "key of c" }))).toEqual({
      outcome: "stored",
    });
  });

  it("purges more than it takes at once", async () => {
    const { jobs } = await open();
    const ids = Array.from({ length: 2_500 }, (_, index) => `${index}`);
    await jobs.submit({ ...batchOf("batch", ids), maxPending: 10_000, maxStored: 10_000 });
    await jobs.cancel({ batchId: "batch" }, OWNER, NOW);
    await jobs.purge(NOW + 1, EVER);
    const { rows } = await jobs.list({}, OWNER, { size: 5_000, after: undefined });
    expect(rows.filter(({ purged }) => purged)).toHaveLength(2_500);
    await jobs.purge(NOW + 1, NOW + 1);
    expect((await jobs.counts(NOW)).byState.cancelled).toBe(0);
    expect(await jobs.batch("batch", OWNER)).toBeUndefined();
  });
});

function namesOf(rows: readonly JobRecord[]): string {
  return rows.map(({ jobId }) => jobId).join("");
}
