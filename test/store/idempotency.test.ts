/** What is asked of the store of idempotency keys holds on each engine. */
import { afterAll, describe, expect, it } from "vitest";
import type { KeyEnd, KeyHolder, KeyName } from "../../src/core/idempotency-store.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { engines } from "../support/stores.ts";

const NOW = 1_800_000_000_000;
const LATER = NOW + 1_000;
const NAME: KeyName = { tenant: "acme", principal: "alice", key: "order-7" };
const TAKEN = { state: "taken" };
const ANSWERED: KeyEnd = {
  atMs: NOW + 5,
  answer: {
    provider: "openai",
    model: "gpt-4o",
    costPicoUsd: 12_500_000n as PicoUsd,
    events: new Uint8Array([0, 1, 255]),
  },
};
const FAILED: KeyEnd = { atMs: NOW + 5, failure: { kind: "cut", message: "it broke, ünd so on" } };

describe.each(engines("idempotency keys"))("an idempotency key on $name", (engine) => {
  afterAll(() => engine.stop());
  const open = async () => (await (await engine.place()).open()).idempotency;

  it("is taken once, and tells whose it is", async () => {
    const keys = await open();
    const claims = await Promise.all(
      ["a", "b", "c", "d"].map((callId) => keys.claim(NAME, holderOf(callId), NOW, LATER)),
    );
    expect(claims.filter(({ state }) => state === "taken")).toHaveLength(1);
    const winner = "abcd"[claims.findIndex(({ state }) => state === "taken")] ?? "";
    const others = claims.filter(({ state }) => state !== "taken");
    expect(others).toEqual(others.map(() => ({ ...holderOf(winner), state: "here" })));
  });

  it("is another one for another tenant, principal or name", async () => {
    const keys = await open();
    for (const other of [{}, { tenant: "other" }, { principal: "bob" }, { key: "order-8" }]) {
      expect(await keys.claim({ ...NAME, ...other }, holderOf("a"), NOW, LATER)).toEqual(TAKEN);
    }
  });

  it("takes a name that no database can hold as it is", async () => {
    const keys = await open();
    const odd = { ...NAME, key: "a\0\ud800" };
    expect(await keys.claim(odd, holderOf("a"), NOW, LATER)).toEqual(TAKEN);
    await keys.finish(odd, "a", ANSWERED, LATER);
    expect(await keys.claim(odd, holderOf("b"), NOW, LATER)).toMatchObject({ state: "ended" });
  });

  it.each([
    ["an answer", ANSWERED],
    ["one of unknown cost", withCost(undefined)],
    ["one of more money than a double can count", withCost((2n ** 60n) as PicoUsd)],
    ["a failure", FAILED],
  ])("keeps %s until its time is over", async (_, end) => {
    const keys = await open();
    await keys.claim(NAME, holderOf("a"), NOW, NOW + 10);
    await keys.finish(NAME, "a", end, LATER);
    const known = { ...holderOf("a"), state: "ended", end };
    expect(plain(await keys.claim(NAME, holderOf("b"), LATER - 1, LATER + 5))).toEqual(known);
    expect(await keys.claim(NAME, holderOf("c"), LATER, LATER + 5)).toEqual(TAKEN);
    expect(await keys.claim(NAME, holderOf("b"), LATER, LATER + 5)).toEqual({
      ...holderOf("c"),
      state: "here",
    });
  });

  it("that is given back is anybody's", async () => {
    const keys = await open();
    await keys.claim(NAME, holderOf("a"), NOW, LATER);
    await keys.free(NAME, "a");
    expect(await keys.claim(NAME, holderOf("b"), NOW, LATER)).toEqual(TAKEN);
    // It is not a's any more.
    await keys.free(NAME, "a");
    await keys.finish(NAME, "a", ANSWERED, LATER);
    expect(await keys.claim(NAME, holderOf("c"), NOW, LATER)).toEqual({ ...holderOf("b"), state: "here" });
  });

  it("is not given away while its call is under way, however long that takes", async () => {
    const keys = await open();
    await keys.claim(NAME, holderOf("a"), NOW, NOW + 10);
    await keys.sweep(LATER);
    expect(await keys.claim(NAME, holderOf("b"), LATER, LATER)).toEqual({ ...holderOf("a"), state: "here" });
    await keys.finish(NAME, "a", ANSWERED, LATER + 10);
    expect(await keys.claim(NAME, holderOf("b"), LATER, LATER)).toMatchObject({ state: "ended" });
  });

  it("says that its call was lost once its process is gone", async () => {
    const place = await engine.place();
    const first = await place.open("first");
    await first.idempotency.claim(NAME, holderOf("a"), NOW, LATER);
    await first.idempotency.claim({ ...NAME, key: "ended" }, holderOf("b"), NOW, LATER);
    await first.idempotency.finish({ ...NAME, key: "ended" }, "b", FAILED, LATER);
    await first.close();
    const { idempotency: keys } = await place.open("second");
    const lost = { ...holderOf("a"), state: "lost" };
    await expect.poll(() => keys.claim(NAME, holderOf("c"), NOW, LATER)).toEqual(lost);
    expect(await keys.claim({ ...NAME, key: "ended" }, holderOf("c"), NOW, LATER)).toMatchObject({
      end: FAILED,
    });
    expect(await keys.claim(NAME, holderOf("c"), LATER, LATER)).toEqual(TAKEN);
  });

  it("is forgotten when its time is over, and its process does not hold it", async () => {
    const place = await engine.place();
    const first = await place.open("first");
    await first.idempotency.claim({ ...NAME, key: "lost" }, holderOf("a"), NOW, LATER);
    await first.close();
    const { idempotency: keys } = await place.open("second");
    for (const key of ["ended", "fresh", "under way"])
      await keys.claim({ ...NAME, key }, holderOf(key), NOW, LATER);
    await keys.finish({ ...NAME, key: "ended" }, "ended", ANSWERED, LATER);
    await keys.finish({ ...NAME, key: "fresh" }, "fresh", ANSWERED, LATER + 1);
    const left = async () => {
      await keys.sweep(LATER);
      const rows = await place.rows("SELECT idempotency_key FROM idempotency_keys ORDER BY idempotency_key");
      return rows.map((row) => row.idempotency_key);
    };
    await expect.poll(left).toEqual(["fresh", "under way"]);
  });

  if (engine.name === "PostgreSQL") {
    it("is known to other replicas while its call is under way", async () => {
      const place = await engine.place();
      const [one, other] = [await place.open("one"), await place.open("other")];
      await one.idempotency.claim(NAME, holderOf("a"), NOW, LATER);
      const elsewhere = { ...holderOf("a"), state: "elsewhere" };
      expect(await other.idempotency.claim(NAME, holderOf("b"), NOW, LATER)).toEqual(elsewhere);
      await other.idempotency.sweep(LATER);
      expect(await other.idempotency.claim(NAME, holderOf("b"), LATER, LATER)).toEqual(elsewhere);
      await one.idempotency.finish(NAME, "a", ANSWERED, LATER);
      expect(plain(await other.idempotency.claim(NAME, holderOf("b"), NOW, LATER))).toMatchObject({
        end: ANSWERED,
      });
    });
  }
});

function holderOf(callId: string): KeyHolder {
  return { callId, requestId: `request-${callId}`, fingerprint: "f".repeat(64) };
}

function withCost(costPicoUsd: PicoUsd | undefined): KeyEnd {
  return ANSWERED.answer ? { ...ANSWERED, answer: { ...ANSWERED.answer, costPicoUsd } } : ANSWERED;
}

/** Bytes are bytes, whatever holds them. */
function plain(claimed: unknown): unknown {
  const { end, ...rest } = claimed as { end: KeyEnd };
  if (!end.answer) return claimed;
  return { ...rest, end: { ...end, answer: { ...end.answer, events: new Uint8Array(end.answer.events) } } };
}
