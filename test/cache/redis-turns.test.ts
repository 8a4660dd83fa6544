/** Who makes a call that replicas want at once: one, and the others get its answer, or make it when none comes. */
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Entry } from "../../src/cache/answers.ts";
import type { Turn } from "../../src/cache/turns.ts";
import { VirtualClock } from "../support/clock.ts";
import { command, hasRedis, type RedisServer, startRedis } from "../support/redis.ts";
import { entryOf, type Replica, replicaAt, textOf } from "./replicas.ts";

const anyEntry = (_: Entry) => true;

describe.runIf(hasRedis("a call that replicas share"))("turns", () => {
  let redis: RedisServer;
  let one: Replica;
  let other: Replica;
  beforeEach(async () => {
    redis = await startRedis();
    // So long that no other process of the machine can make it too short.
    const patient = { redis: { timeout: durationFromMs(1_000) } };
    one = await replicaAt(redis.url, patient);
    other = await replicaAt(redis.url, patient);
  });
  afterEach(async () => {
    await one.kept.close();
    await other.kept.close();
    await redis[Symbol.asyncDispose]();
  });

  const take = (replica: Replica, { isWanted = anyEntry, signal = new AbortController().signal } = {}) =>
    replica.kept.turns.take("a", "acme", isWanted, signal);
  function end(turn: Turn): void {
    if (turn.entry) throw new Error("it was answered");
    turn.end();
  }
  const leases = () => command(redis.url, "KEYS", "llmgateway:cache-turn:*");
  const state = async (promise: Promise<unknown>) =>
    Promise.race([promise.then(() => "done"), new Promise((resolve) => setTimeout(resolve, 60, "waits"))]);

  it("are one's until its answer is there, which all others are given", async () => {
    const turn = await take(one);
    const waiting = Promise.all([take(other), take(other), take(one)]);
    expect(await state(waiting)).toBe("waits");
    one.kept.answers.keep("a", entryOf("answer"));
    end(turn);
    expect((await waiting).map(({ entry }) => textOf(entry))).toEqual(["answer", "answer", "answer"]);
    // And have it from then on.
    expect(other.memory.find("a")).toBeDefined();
    await expect.poll(leases).toEqual([]);
  });

  it("are given the answer that came since they looked for one", async () => {
    const turn = await take(one);
    one.kept.answers.keep("a", entryOf("answer"));
    end(turn);
    expect(textOf((await take(other)).entry)).toBe("answer");
    await expect.poll(leases).toEqual([]);
  });

  it("are everybody's when the call ended without an answer to keep", async () => {
    const turn = await take(one);
    const waiting = Promise.all([take(other), take(other)]);
    await state(waiting);
    end(turn);
    expect((await waiting).map(({ entry }) => entry)).toEqual([undefined, undefined]);
  });

  it("go to another once, and are not waited for a second time", async () => {
    const turn = await take(one);
    const waiting = take(other);
    await state(waiting);
    end(turn);
    const next = await take(one);
    expect((await waiting).entry).toBeUndefined();
    end(next);
  });

  it("do not end with an answer that is not wanted", async () => {
    const old = entryOf("old", {}, Date.now() - 1_000);
    one.kept.answers.keep("a", old);
    const isWanted = ({ answer }: Entry) => answer.storedAtMs > old.answer.storedAtMs;
    const turn = await take(one, { isWanted });
    const waiting = take(other, { isWanted });
    expect(await state(waiting)).toBe("waits");
    one.kept.answers.keep("a", entryOf("new"));
    end(turn);
    expect(textOf((await waiting).entry)).toBe("new");
  });

  it("are waited for no longer than the waiter's own time", async () => {
    const turn = await take(one);
    const leaving = new AbortController();
    const waiting = take(other, { signal: leaving.signal });
    await state(waiting);
    leaving.abort(new Error("left"));
    await expect(waiting).rejects.toThrow("left");
    await expect(take(other, { signal: leaving.signal })).rejects.toThrow("left");
    end(turn);
  });

  it("are everybody's as soon as Redis is gone", async () => {
    await take(one);
    const waiting = take(other);
    await state(waiting);
    await redis.kill();
    expect((await waiting).entry).toBeUndefined();
    expect((await take(one)).entry).toBeUndefined();
  });

  it("leave no lease behind that came too late", async () => {
    const clock = new VirtualClock();
    const slow = await replicaAt(redis.url, {}, clock);
    redis.pause();
    const taking = slow.kept.turns.take("a", "acme", anyEntry, new AbortController().signal);
    await clock.advance(5);
    await clock.advance(1);
    expect((await taking).entry).toBeUndefined();
    redis.resume();
    await expect.poll(() => command(redis.url, "INFO", "commandstats")).toMatch(/cmdstat_unlink/);
    expect(await leases()).toEqual([]);
    await slow.kept.close();
  });

  it("pass on when a replica dies, and are renewed while it lives", async () => {
    const clock = new VirtualClock();
    const dying = await replicaAt(redis.url, {}, clock);
    await dying.kept.turns.take("a", "acme", anyEntry, new AbortController().signal);
    const [lease] = (await leases()) as string[];
    await command(redis.url, "PEXPIRE", lease ?? "", "100");
    await clock.advance(2_000);
    await expect
      .poll(async () => Number(await command(redis.url, "PTTL", lease ?? "")))
      .toBeGreaterThan(3_000);
    const waiting = take(one);
    await state(waiting);
    await command(redis.url, "PEXPIRE", lease ?? "", "1");
    expect((await waiting).entry).toBeUndefined();
    await dying.kept.close();
  });
});
