/** What Redis costs a call when it is slow or fails: a few milliseconds a few times, and then nothing for a while. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Link } from "../../src/cache/link.ts";
import { connectRedis, type Redis } from "../../src/wire/redis.ts";
import { VirtualClock } from "../support/clock.ts";
import { command, hasRedis, type RedisServer, startRedis } from "../support/redis.ts";

const TIMEOUT_MS = 5;

describe.runIf(hasRedis("a cache whose Redis is slow"))("the way to Redis", () => {
  let server: RedisServer;
  let clock: VirtualClock;
  let redis: Redis;
  let link: Link;
  let told: string[];
  beforeEach(async () => {
    server = await startRedis();
    clock = new VirtualClock();
    told = [];
    redis = connectRedis({ url: server.url, clock, random: () => 0.5, onChange: () => {}, bytes: true });
    link = new Link({
      redis,
      clock,
      timeoutMs: TIMEOUT_MS,
      onError: (operation) => told.push(operation),
      onRest: (direction, resting) => told.push(`${direction} ${resting ? "rests" : "works"}`),
    });
    await redis.connected;
  });
  afterEach(async () => {
    server.resume();
    await redis.close();
    await server[Symbol.asyncDispose]();
  });

  const ask = () => link.ask("find", ["GET", "a"]);
  /** @returns how long it took, in virtual time */
  async function late(): Promise<number> {
    const beganMs = clock.now();
    const asked = ask();
    let done = false;
    asked.then(() => {
      done = true;
    });
    for (await clock.advance(0); !done; await clock.advance(1)) if (clock.now() > beganMs + 1_000) break;
    expect(await asked).toBeUndefined();
    return clock.now() - beganMs;
  }

  it("waits no longer than it may, five times, then not at all, and then for one that tries", async () => {
    expect(await ask()).toEqual({ reply: null });
    server.pause();
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) waits.push(await late());
    expect(waits.map((ms) => ms >= TIMEOUT_MS && ms <= TIMEOUT_MS + 2)).toEqual([
      ...Array(5).fill(true),
      false,
      false,
    ]);
    expect(waits.slice(5)).toEqual([0, 0]);
    expect(told).toEqual([...Array(4).fill("find"), "read rests", "find"]);

    // One tries after a second, and the next after two more.
    await clock.advance(1_000);
    const both = Promise.all([ask(), ask()]);
    await clock.advance(TIMEOUT_MS);
    await clock.advance(1);
    expect(await both).toEqual([undefined, undefined]);
    expect(told).toHaveLength(7);
    await clock.advance(1_500);
    expect(await late()).toBe(0);
    server.resume();
    expect(await command(server.url, "PING")).toBe("PONG");
    await clock.advance(500);
    expect(await ask()).toEqual({ reply: null });
    expect(told.at(-1)).toBe("read works");
  });

  it("rests for half a minute at most", async () => {
    server.pause();
    for (let i = 0; i < 5; i++) await late();
    for (const restMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      await clock.advance(restMs - 20);
      expect(await late()).toBe(0);
      await clock.advance(20);
      expect(await late()).toBeGreaterThan(0);
    }
  });

  it("asks again at once when Redis is there again", async () => {
    server.pause();
    for (let i = 0; i < 6; i++) await late();
    server.resume();
    link.revive();
    expect(await ask()).toEqual({ reply: null });
  });

  it("writes no more to one that is full, and still reads", async () => {
    await command(server.url, "SET", "a", "1");
    await command(server.url, "CONFIG", "SET", "maxmemory", "1");
    for (let i = 0; i < 5; i++) {
      link.write("keep", ["SET", "b", "2"], 1);
      await expect.poll(() => told.filter((one) => one === "keep").length).toBe(i + 1);
    }
    expect(told).toContain("write rests");
    expect(link.calm).toBe(false);
    link.write("keep", ["SET", "b", "2"], 1);
    expect(await ask()).toEqual({ reply: Buffer.from("1") });
    expect(told.filter((one) => one === "keep")).toHaveLength(5);
  });

  it("holds no more of what is to be written than so much", async () => {
    server.pause();
    const large = Buffer.alloc(9_000_000);
    for (const key of ["a", "b", "c"]) link.write("keep", ["SET", key, large], large.length);
    server.resume();
    await expect.poll(() => command(server.url, "DBSIZE")).toBe(1);
    const again = () => {
      link.write("keep", ["SET", "d", large], large.length);
      return command(server.url, "EXISTS", "d");
    };
    await expect.poll(again).toBe(1);
  });
});
