/** What is asked of the outbox holds on each engine. */
import { afterAll, describe, expect, it } from "vitest";
import type { DeliveryRecord, WebhookRecord } from "../../src/core/outbox.ts";
import type { Store } from "../../src/store/store.ts";
import { endingOf, jobEngines, jobOf, NOW, OWNER, runOf, submit } from "../support/jobs.ts";

const HOOK = "https://example.com/hook";
const LEASE = 30_000;

describe.each(jobEngines("the outbox"))("the outbox on $name", (engine) => {
  afterAll(() => engine.stop());

  /** With a webhook for each: its URL and when its job ended. */
  const open = async (hooks: Readonly<Record<string, { url?: string; atMs?: number }>>) => {
    const store = await (await engine.place()).open();
    for (const [id, hook] of Object.entries(hooks)) await addHook(store, id, hook);
    return store;
  };

  it("gives each webhook to one deliverer for a while, and counts the tries", async () => {
    const { outbox } = await open({ a: {} });
    const [taken] = await outbox.take(5, NOW, LEASE, []);
    expect(taken).toEqual({
      ...OWNER,
      webhookId: "a",
      subject: "job",
      url: HOOK,
      state: "pending",
      attempts: 1,
      createdAtMs: NOW,
      dueAtMs: NOW + LEASE,
      sinceMs: NOW,
      deliveredAtMs: undefined,
    });
    expect(await outbox.get("a", OWNER)).toEqual(taken);
    expect(await outbox.take(5, NOW + LEASE - 1, LEASE, [])).toEqual([]);
    expect(await outbox.take(5, NOW + LEASE, LEASE, [])).toMatchObject([{ webhookId: "a", attempts: 2 }]);
  });

  it("gives each webhook once though many ask at the same time", async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `${index}`);
    const { outbox } = await open(Object.fromEntries(ids.map((id) => [id, {}])));
    const taken = (await Promise.all(Array.from({ length: 8 }, () => outbox.take(5, NOW, LEASE, [])))).flat();
    expect(taken).toHaveLength(30);
    expect(new Set(taken.map(({ webhookId }) => webhookId)).size).toBe(30);
  });

  it("gives those first that were due first, and none before it is due", async () => {
    const { outbox } = await open({
      b: { atMs: NOW - 5 },
      a: { atMs: NOW - 5 },
      c: { atMs: NOW - 9 },
      d: { atMs: NOW + 1 },
    });
    expect(namesOf(await outbox.take(1, NOW, LEASE, []))).toBe("c");
    await outbox.settle(deliveryOf("c"), { state: "pending", dueAtMs: NOW });
    expect(namesOf(await outbox.take(2, NOW, LEASE, []))).toBe("ab");
    expect(namesOf(await outbox.take(5, NOW, LEASE, []))).toBe("c");
  });

  it("leaves out the hosts that it is told to", async () => {
    const { outbox } = await open({
      a: { url: "https://Slow.example.com/a" },
      b: { url: "http://slow.example.com:8080/b" },
      c: { url: "https://example.com:443/c" },
      d: { url: "http://[::1]:9/d" },
    });
    const slow = ["slow.example.com", "slow.example.com:8080", "[::1]:9"];
    expect(namesOf(await outbox.take(5, NOW, LEASE, slow))).toBe("c");
    expect(namesOf(await outbox.take(1, NOW, LEASE, slow.slice(0, 1)))).toBe("b");
    expect(namesOf(await outbox.take(5, NOW, LEASE, []))).toBe("ad");
  });

  it("keeps what came of every try, the latest first", async () => {
    const { outbox } = await open({ a: {}, b: {} });
    await outbox.take(2, NOW, LEASE, []);
    const first = deliveryOf("a", {
      startedAtMs: NOW + 5,
      httpStatus: undefined,
      error: "it did not answer",
    });
    await outbox.settle(first, { state: "pending", dueAtMs: NOW + 1_000 });
    expect(await outbox.get("a", OWNER)).toMatchObject({
      state: "pending",
      attempts: 1,
      dueAtMs: NOW + 1_000,
    });
    expect(await outbox.take(2, NOW + 999, LEASE, [])).toEqual([]);
    expect(namesOf(await outbox.take(2, NOW + 1_000, LEASE, []))).toBe("a");
    const second = deliveryOf("a", { attempt: 2, startedAtMs: NOW + 1_000, latencyMs: 40 });
    await outbox.settle(second, { state: "delivered" });
    expect(await outbox.get("a", OWNER)).toMatchObject({
      state: "delivered",
      attempts: 2,
      createdAtMs: NOW,
      deliveredAtMs: NOW + 1_040,
    });
    await outbox.settle(deliveryOf("b", { httpStatus: 410, error: "gone" }), { state: "failed" });
    expect(await outbox.get("b", OWNER)).toMatchObject({ state: "failed", deliveredAtMs: undefined });
    expect(await outbox.deliveries("a")).toEqual([second, first]);
    expect(await outbox.deliveries("b")).toHaveLength(1);
    expect(await outbox.deliveries("none")).toEqual([]);
    expect(await outbox.take(2, NOW + 10 * LEASE, LEASE, [])).toEqual([]);
  });

  it("keeps of a try that another took meanwhile its record only", async () => {
    const { outbox } = await open({ a: {} });
    await outbox.take(1, NOW, LEASE, []);
    const [again] = await outbox.take(1, NOW + LEASE, LEASE, []);
    await outbox.settle(deliveryOf("a"), { state: "failed" });
    expect(await outbox.get("a", OWNER)).toEqual(again);
    expect(await outbox.deliveries("a")).toMatchObject([{ attempt: 1 }]);
    await outbox.settle(deliveryOf("a", { attempt: 2, startedAtMs: NOW + LEASE }), { state: "delivered" });
    await outbox.settle(deliveryOf("a"), { state: "pending", dueAtMs: NOW });
    expect(await outbox.get("a", OWNER)).toMatchObject({ state: "delivered" });
    expect(await outbox.deliveries("a")).toMatchObject([{ attempt: 2 }, { attempt: 1 }]);
    // Of what is not there, nothing.
    await outbox.settle(deliveryOf("none"), { state: "delivered" });
    expect(await outbox.deliveries("none")).toEqual([]);
  });

  it("delivers again what its owner asks for, whatever became of it", async () => {
    const { outbox } = await open({ a: {}, b: {} });
    await outbox.take(2, NOW, LEASE, []);
    await outbox.settle(deliveryOf("a"), { state: "delivered" });
    await outbox.settle(deliveryOf("b", { httpStatus: 500 }), { state: "failed" });
    expect(await outbox.redeliver("none", OWNER, NOW)).toBe(false);
    for (const stranger of [
      { ...OWNER, tenant: "other" },
      { ...OWNER, principal: "other" },
    ]) {
      expect(await outbox.redeliver("a", stranger, NOW)).toBe(false);
    }
    const later = NOW + 100_000;
    for (const id of ["a", "b"]) {
      expect(await outbox.redeliver(id, OWNER, later)).toBe(true);
      expect(await outbox.get(id, OWNER)).toMatchObject({
        state: "pending",
        attempts: 1,
        createdAtMs: NOW,
        dueAtMs: later,
        sinceMs: later,
        deliveredAtMs: undefined,
      });
    }
    const taken = await outbox.take(2, later, LEASE, []);
    expect(taken).toMatchObject([
      { webhookId: "a", attempts: 2, sinceMs: later },
      { webhookId: "b", attempts: 2, sinceMs: later },
    ]);
  });

  it("delivers again what its owner asks for while it is tried", async () => {
    const { outbox } = await open({ a: {} });
    await outbox.take(1, NOW, LEASE, []);
    await outbox.redeliver("a", OWNER, NOW + 10);
    await outbox.settle(deliveryOf("a"), { state: "delivered" });
    expect(await outbox.get("a", OWNER)).toMatchObject({ state: "pending", attempts: 1, dueAtMs: NOW + 10 });
    expect(await outbox.deliveries("a")).toHaveLength(1);
    expect(await outbox.take(1, NOW + 10, LEASE, [])).toMatchObject([{ webhookId: "a", attempts: 2 }]);
  });

  it("lists the newest first, page by page, to its owner only", async () => {
    const store = await open({
      a: { atMs: NOW - 30 },
      c: { atMs: NOW - 20 },
      b: { atMs: NOW - 20 },
      d: { atMs: NOW - 10 },
    });
    const { outbox } = store;
    await outbox.take(1, NOW, LEASE, []);
    await outbox.settle(deliveryOf("a"), { state: "delivered" });
    const first = await outbox.list(undefined, OWNER, { size: 2, after: undefined });
    expect(namesOf(first.rows)).toBe("dc");
    await addHook(store, "e");
    const second = await outbox.list(undefined, OWNER, { size: 2, after: first.next });
    expect(namesOf(second.rows)).toBe("ba");
    expect(second.next).toBeUndefined();
    const listed = async (state: WebhookRecord["state"]) =>
      namesOf((await outbox.list(state, OWNER, { size: 9, after: undefined })).rows);
    expect(await listed("pending")).toBe("edcb");
    expect(await listed("delivered")).toBe("a");
    expect(await listed("failed")).toBe("");
    for (const stranger of [
      { ...OWNER, tenant: "other" },
      { ...OWNER, principal: "other" },
    ]) {
      expect(await outbox.list(undefined, stranger, { size: 9, after: undefined })).toEqual({
        rows: [],
        next: undefined,
      });
      expect(await outbox.get("a", stranger)).toBeUndefined();
    }
  });

  it("counts what is pending, and tells how old it is", async () => {
    const { outbox } = await open({});
    expect(await outbox.counts()).toEqual({ pending: 0, oldestCreatedAtMs: undefined });
    const other = await open({ a: { atMs: NOW - 5 }, b: { atMs: NOW - 3 }, c: {} });
    expect(await other.outbox.counts()).toEqual({ pending: 3, oldestCreatedAtMs: NOW - 5 });
    await other.outbox.take(1, NOW, LEASE, []);
    await other.outbox.settle(deliveryOf("a"), { state: "delivered" });
    expect(await other.outbox.counts()).toEqual({ pending: 2, oldestCreatedAtMs: NOW - 3 });
  });
});

async function addHook(store: Store, id: string, { url = HOOK, atMs = NOW } = {}): Promise<void> {
  await submit(store.jobs, jobOf(id, { callbackUrl: url }));
  for (const taken of await store.jobs.take(1, NOW))
    await store.jobs.finish(runOf(taken), endingOf({ atMs }));
}

/** By default its first try, which went well. */
function deliveryOf(webhookId: string, init: Partial<DeliveryRecord> = {}): DeliveryRecord {
  return { webhookId, attempt: 1, startedAtMs: NOW, latencyMs: 5, httpStatus: 200, error: "", ...init };
}

function namesOf(rows: readonly WebhookRecord[]): string {
  return rows.map(({ webhookId }) => webhookId).join("");
}
