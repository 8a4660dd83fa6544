/** Answers that replicas share on a real Redis: what one has kept or cleared, and what is there when Redis is not. */
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Entry } from "../../src/cache/answers.ts";
import { GENERATION_KEY } from "../../src/cache/clears.ts";
import { storedKeyOf } from "../../src/cache/stored.ts";
import { VirtualClock } from "../support/clock.ts";
import { command, hasRedis, type RedisServer, startRedis } from "../support/redis.ts";
import { entryOf, type Replica, replicaAt, textOf } from "./replicas.ts";

const STALENESS_MS = 30_000;

describe.runIf(hasRedis("a cache that replicas share"))("answers on Redis", () => {
  let redis: RedisServer;
  let clock: VirtualClock;
  let one: Replica;
  let other: Replica;
  beforeEach(async () => {
    redis = await startRedis();
    clock = new VirtualClock();
    one = await replicaAt(redis.url, {}, clock);
    other = await replicaAt(redis.url, {}, clock);
  });
  afterEach(async () => {
    await one.kept.close();
    await other.kept.close();
    await redis[Symbol.asyncDispose]();
  });

  const keep = (replica: Replica, key: string, text: string, fields: Partial<Entry> = {}) =>
    replica.kept.answers.keep(key, entryOf(text, fields, clock.now()));
  const isThere = (key: string, tenant = "acme") =>
    expect.poll(() => command(redis.url, "EXISTS", storedKeyOf(key, tenant))).toBe(1);
  async function share(key: string, fields: Partial<Entry> = {}) {
    keep(one, key, key, fields);
    await isThere(key, fields.tenant);
  }

  it("are found by another replica, whole, and then in its memory", async () => {
    await share("a", { tags: { team: "x" } });
    const found = await other.find("a");
    expect(found).toEqual(await one.find("a"));
    expect(textOf(found)).toBe("a");
    await other.find("a");
    expect([await other.hits("redis"), await other.hits("memory")]).toEqual([1, 1]);
    expect([await one.hits("redis"), await one.hits("memory")]).toEqual([0, 1]);
  });

  it("are asked for once by those who want the same at once", async () => {
    await share("a");
    const before = String(await command(redis.url, "INFO", "commandstats"));
    const found = await Promise.all(Array.from({ length: 50 }, () => other.find("a")));
    expect(new Set(found.map(textOf))).toEqual(new Set(["a"]));
    const calls = (stats: string) => Number(/cmdstat_mget:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    expect(calls(String(await command(redis.url, "INFO", "commandstats"))) - calls(before)).toBe(1);
    expect(await other.hits("redis")).toBe(50);
  });

  it("belong to their tenant, whoever knows the key", async () => {
    await share("a");
    expect(await other.find("a", "else")).toBeUndefined();
    const bytes = storedKeyOf("a", "acme");
    await command(redis.url, "COPY", bytes, storedKeyOf("a", "else"));
    expect(await other.find("a", "else")).toBeUndefined();
    expect(bytes).not.toContain("acme");
  });

  it("expire there as they do here", async () => {
    keep(one, "a", "a", { expiresAtMs: clock.now() + 5_000 });
    await isThere("a");
    expect(Number(await command(redis.url, "PTTL", storedKeyOf("a", "acme")))).toBeLessThanOrEqual(5_000);
    await clock.advance(5_000);
    expect(await other.find("a")).toBeUndefined();
  });

  it("are not kept there when they are too large", async () => {
    keep(one, "large", "x".repeat(1_100_000));
    keep(one, "larger", "x", { bytes: 1_100_000 });
    await share("a");
    expect(await command(redis.url, "DBSIZE")).toBe(1);
    expect(textOf(await one.find("larger"))).toBe("x");
  });

  it("that cannot be read are none", async () => {
    await share("a");
    await command(redis.url, "SET", storedKeyOf("a", "acme"), "\u0007rubbish");
    expect(await other.find("a")).toBeUndefined();
  });

  it.each([
    ["all", {}, []],
    ["a tenant's", { tenant: "acme" }, ["d"]],
    ["a family's", { family: "smart" }, ["a", "c", "d"]],
    ["a model's, whoever was asked", { family: "openai/gpt-4o" }, []],
    ["a tag's", { tag: { key: "team", value: "x" } }, ["a", "b", "d"]],
    ["a tenant's of a family", { tenant: "acme", family: "smart" }, ["a", "c", "d"]],
  ])("of which %s are cleared are gone everywhere", async (_, which, left) => {
    const labels = {
      a: {},
      b: { family: "smart" },
      c: { tags: { team: "x" } },
      d: { tenant: "else" },
    };
    for (const [key, fields] of Object.entries(labels)) {
      await share(key, fields);
      await other.find(key, key === "d" ? "else" : "acme");
    }
    expect(await one.kept.answers.clear(which)).toBe(4 - left.length);
    const there = async () => {
      const found = Object.keys(labels).map((key) => other.find(key, key === "d" ? "else" : "acme"));
      return (await Promise.all(found)).map(textOf).filter(Boolean);
    };
    await expect.poll(there).toEqual(left);
    const names = await command(redis.url, "KEYS", "llmgateway:cache:{*");
    expect(names).toHaveLength(left.length);
    // And are kept anew.
    await share("a");
    expect(textOf(await other.find("a"))).toBe("a");
  });

  it("that were cleared are given no longer than they are trusted by who did not hear of it", async () => {
    await share("a");
    await other.find("a");
    // As a clear whose message was lost, and whose answers are still there.
    await command(redis.url, "ZADD", "llmgateway:cache-rules", "7", '{"tenant":"acme"}');
    await command(redis.url, "SET", GENERATION_KEY, "7");
    expect(textOf(await other.find("a"))).toBe("a");
    await clock.advance(STALENESS_MS);
    expect(await other.find("a")).toBeUndefined();
    expect(other.memory.held.entries).toBe(0);
    // One that has it in memory as its own no less.
    expect(await one.find("a")).toBeUndefined();
  });

  it("are all given up when Redis has lost what was cleared", async () => {
    await share("a");
    await command(redis.url, "SET", GENERATION_KEY, "9");
    expect(await other.find("a")).toBeUndefined();
  });

  it("are heard of again after the connection was lost on which clears are told", async () => {
    await share("a");
    await other.find("a");
    await command(redis.url, "ZADD", "llmgateway:cache-rules", "7", "{}");
    await command(redis.url, "SET", GENERATION_KEY, "7");
    await command(redis.url, "CLIENT", "KILL", "TYPE", "pubsub");
    await expect.poll(() => other.memory.held.entries).toBe(0);
  });

  it("that another replica has anew are given in their place, once the old are not trusted any more", async () => {
    keep(one, "a", "old");
    await isThere("a");
    await other.find("a");
    await clock.advance(1_000);
    keep(one, "a", "new");
    await isThere("a");
    expect(textOf(await other.find("a"))).toBe("old");
    await clock.advance(STALENESS_MS - 1_000);
    await expect.poll(async () => textOf(await other.find("a"))).toBe("new");
  });

  it("stay in memory when Redis has let go of them", async () => {
    await share("a");
    await command(redis.url, "UNLINK", storedKeyOf("a", "acme"));
    await clock.advance(STALENESS_MS);
    expect(textOf(await one.find("a"))).toBe("a");
  });

  it("are given from memory until they expire while Redis is away, and shared again once it is back", async () => {
    await share("a");
    await redis.kill();
    await clock.advance(STALENESS_MS);
    expect(textOf(await one.find("a"))).toBe("a");
    expect(await one.find("b")).toBeUndefined();
    keep(one, "b", "b");
    expect(textOf(await one.find("b"))).toBe("b");
    await redis.start();
    for (const { log } of [one, other])
      await expect.poll(() => log.events.filter(({ state }) => state).at(-1)?.state).toBe("connected");
    await share("c");
    expect(textOf(await other.find("c"))).toBe("c");
    expect(textOf(await one.find("a"))).toBe("a");
    await clock.advance(3_600_000);
    expect(await one.find("a")).toBeUndefined();
  });

  it("that are cleared while Redis does not answer are cleared there once it does", async () => {
    await share("a");
    redis.pause();
    const cleared = one.kept.answers.clear({ tenant: "acme" });
    // As long as a command may take, twice.
    await clock.advance(500);
    await clock.advance(500);
    expect(await cleared).toBe(1);
    redis.resume();
    await expect.poll(() => command(redis.url, "PING")).toBe("PONG");
    expect(await one.find("a")).toBeUndefined();
    await clock.advance(1_000);
    await expect.poll(() => command(redis.url, "KEYS", "llmgateway:cache:{*")).toEqual([]);
    expect(await other.find("a")).toBeUndefined();
  });

  it("are cleared in a Redis that is full", async () => {
    await share("a");
    await other.find("a");
    await command(redis.url, "CONFIG", "SET", "maxmemory", "1");
    keep(one, "b", "b");
    await expect.poll(() => one.log.events.at(-1)).toMatchObject({ operation: "keep" });
    expect(textOf(await other.find("a"))).toBe("a");
    await one.kept.answers.clear({});
    expect(await command(redis.url, "KEYS", "llmgateway:cache:{*")).toEqual([]);
    await command(redis.url, "CONFIG", "SET", "maxmemory", "0");
    await clock.advance(1_000);
    await expect.poll(() => other.memory.held.entries).toBe(0);
  });

  it("that are cleared are cleared once, also where what is left of them cannot be taken out of Redis", async () => {
    await share("a");
    await command(redis.url, "ACL", "SETUSER", "default", "-scan");
    await one.kept.answers.clear({});
    await share("b");
    await clock.advance(1_000);
    await expect.poll(() => one.log.events.filter(({ operation }) => operation === "clear").length).toBe(2);
    expect([textOf(await one.find("b")), textOf(await other.find("b"))]).toEqual(["b", "b"]);
    await command(redis.url, "ACL", "SETUSER", "default", "+scan");
    await clock.advance(2_000);
    const left = () => command(redis.url, "KEYS", "llmgateway:cache:{*");
    await expect.poll(left).toEqual([storedKeyOf("b", "acme")]);
  });

  it("that cannot be taken out of Redis are left there in the end, until they expire", async () => {
    await command(redis.url, "ACL", "SETUSER", "default", "-scan");
    await one.kept.answers.clear({});
    const tries = () => one.log.events.filter(({ operation }) => operation === "clear").length;
    for (let againMs = 1_000; againMs <= 3_600_000; againMs *= 2) {
      await expect.poll(() => clock.due).toContain(againMs);
      await clock.advance(againMs);
    }
    await expect.poll(tries).toBe(13);
    expect(clock.due.filter((dueMs) => dueMs > 60_000)).toEqual([]);
  });

  it("that are cleared in one that only reads are given to nobody, nor to who waits for a turn", async () => {
    await share("a");
    await command(redis.url, "REPLICAOF", "127.0.0.1", "1");
    await one.kept.answers.clear({ tenant: "acme" });
    const turn = await one.kept.turns.take("a", "acme", () => true, new AbortController().signal);
    expect(turn.entry).toBeUndefined();
    expect(await one.find("a")).toBeUndefined();
    await command(redis.url, "REPLICAOF", "NO", "ONE");
    await clock.advance(1_000);
    await expect.poll(() => command(redis.url, "KEYS", "llmgateway:cache:{*")).toEqual([]);
    await share("a");
    expect(textOf(await one.find("a"))).toBe("a");
  });

  it("that were kept before a process began are its own again, but for those that were cleared since", async () => {
    await one.kept.answers.clear({ tenant: "acme" });
    const now = Date.now();
    const again = await replicaAt(redis.url, {}, clock);
    const restore = (key: string, fields: Partial<Entry>, storedAtMs: number) =>
      again.kept.answers.restore(key, entryOf(key, fields, storedAtMs));
    await again.find("nothing");
    restore("before", {}, now - 60_000);
    restore("behind", {}, now + 60_000);
    restore("another's", { tenant: "else" }, now - 60_000);
    expect(await again.find("before")).toBeUndefined();
    expect(textOf(await again.find("behind"))).toBe("behind");
    expect(textOf(await again.find("another's", "else"))).toBe("another's");
    // What the others have is not changed by it.
    await share("a");
    restore("a", {}, now - 120_000);
    expect(await command(redis.url, "KEYS", "llmgateway:cache:{*")).toEqual([storedKeyOf("a", "acme")]);
    await again.kept.close();
  });

  it("remember so many clears, and then one of all before", async () => {
    await share("a");
    for (let i = 0; i < 1_002; i++) await one.kept.answers.clear({ tenant: `tenant-${i}` });
    expect(await command(redis.url, "ZCARD", "llmgateway:cache-rules")).toBe(502);
    await expect.poll(() => other.find("a")).toBeUndefined();
    await share("b");
    expect(textOf(await other.find("b"))).toBe("b");
  });

  it("are in memory alone where the configuration wants no Redis", async () => {
    const alone = await replicaAt(redis.url, { redis: { enabled: false } }, clock);
    alone.kept.answers.keep("z", entryOf("z", {}, clock.now()));
    expect(textOf(await alone.find("z"))).toBe("z");
    expect(await command(redis.url, "DBSIZE")).toBe(0);
    await alone.kept.close();
  });

  it("are kept there, found there and trusted as the configuration says that was loaded last", async () => {
    await share("a");
    one.replace({ redis: { maxStaleness: durationFromMs(100) } });
    keep(other, "b", "old");
    await isThere("b");
    expect(textOf(await one.find("b"))).toBe("old");
    await clock.advance(100);
    keep(other, "b", "new");
    await expect.poll(async () => textOf(await one.find("b"))).toBe("new");

    one.replace({ maxEntryBytes: 2_000_000, redis: { enabled: false } });
    expect(await one.find("c")).toBeUndefined();
    keep(one, "c", "c");
    expect(textOf(await one.find("c"))).toBe("c");
    // Nobody is given it when Redis is asked again.
    await one.kept.answers.clear({ tenant: "acme" });
    one.replace({ maxEntryBytes: 2_000_000 });
    expect(await one.find("a")).toBeUndefined();
    expect(await command(redis.url, "KEYS", "llmgateway:cache:{*")).toEqual([]);
    await share("large", { bytes: 1_100_000 });
  });

  it("are trusted for as long as the configuration says", async () => {
    const quick = await replicaAt(redis.url, { redis: { maxStaleness: durationFromMs(100) } }, clock);
    keep(one, "a", "old");
    await isThere("a");
    await quick.find("a");
    await clock.advance(100);
    keep(one, "a", "new");
    await expect.poll(async () => textOf(await quick.find("a"))).toBe("new");
    await quick.kept.close();
  });
});
