/** What is particular to budgets on Redis: gateways that share it, go, or lose it. */

import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type PicoUsd, ZERO } from "../../../src/core/money.ts";
import { budgetOf } from "../../support/budgets.ts";
import { VirtualClock } from "../../support/clock.ts";
import { command as commandAt, hasRedis } from "../../support/redis.ts";
import { ask, counted, type Engine, mills, redisEngine, spending } from "./counted.ts";

const LEASES = "llmgateway:{budget}:leases";

describe.runIf(hasRedis("a Redis that is shared, lost and found"))("budgets on Redis", () => {
  let engine: Engine;
  beforeEach(async () => {
    engine = await redisEngine();
  });
  afterEach(() => engine.close());

  const rules = [budgetOf()];
  type Wall = ReturnType<typeof counted>["wall"];

  const spend = async (wall: Wall, amount: number) =>
    (await wall.reserve(ask(1, amount))).settle(mills(amount));

  /** As Redis has it now. */
  async function figures(wall: Wall) {
    (await wall.reserve(ask(0))).settle(ZERO);
    const [first] = wall.snapshot(1);
    return first && [first.spent, first.reserved];
  }

  const command = (...args: string[]) => commandAt(engine.redis?.url ?? "", ...args);

  /** Of the only reservation: the key under which its lease is. */
  const leaseOf = async () => String(await command("ZRANGE", LEASES, "0", "0"));
  const endOf = async (lease: string) => Number(await command("ZSCORE", LEASES, lease));
  const endAt = (lease: string, endMs: number) => command("ZADD", LEASES, "XX", String(endMs), lease);

  it("count for two gateways together, which warn once", async () => {
    const one = counted(rules, await engine.join());
    const two = counted(rules, await engine.join());
    await Promise.all([spend(one.wall, 300), spend(two.wall, 300)]);
    await expect.poll(() => figures(one.wall)).toEqual([mills(600), ZERO]);
    await expect.poll(() => figures(two.wall)).toEqual([mills(600), ZERO]);
    expect([...one.warnings, ...two.warnings]).toEqual(["team 0.5"]);
    await expect(two.wall.reserve(ask(401))).rejects.toThrow("budget team is used up: $0.6 of $1 are spent");
  });

  it("begin with one of the ledger's answers when two gateways ask at once", async () => {
    const one = counted(rules, await engine.join(), { before: mills(100) });
    const two = counted(rules, await engine.join(), { before: mills(200) });
    await Promise.all([one.wall.reserve(ask(1)), two.wall.reserve(ask(1))]);
    const [seen, other] = [await figures(one.wall), await figures(two.wall)];
    expect(seen).toEqual(other);
    expect([mills(100), mills(200)]).toContain(seen?.[0]);
  });

  it("are a wall for two gateways with 1,000 calls of a cent each", async () => {
    const walls = [counted(rules, await engine.join()).wall, counted(rules, await engine.join()).wall];
    let served = 0;
    const call = async (_: unknown, i: number) => {
      const reservation = await walls[i % 2]?.reserve(ask(10, 20, 30)).catch(() => undefined);
      if (!reservation) return;
      await pause(2 + (i % 3));
      reservation.settle(mills(10));
      served++;
    };
    await Promise.all(Array.from({ length: 2_000 }, call));
    for (const wall of walls) {
      const refused = await wall.reserve(ask(100)).catch((error) => error.message);
      expect(refused).toContain(`$${served / 100} of $1 are spent`);
    }
    expect(served).toBeGreaterThanOrEqual(99);
    expect(served).toBeLessThanOrEqual(100);
  });

  it("let a gateway wait for what another holds, which it hears of by asking", async () => {
    const one = counted(rules, await engine.join()).wall;
    const two = counted(rules, await engine.join()).wall;
    const held = await one.reserve(ask(1, 900));
    const waiting = two.reserve(ask(1, 500));
    await pause(50);
    held.settle(mills(100));
    expect((await waiting).granted).toBe(mills(500));
  });

  it("book what a gateway held that is gone, and correct it when it comes back", async () => {
    const gone = counted(rules, await engine.join());
    const held = await gone.wall.reserve(ask(1, 400));
    const lease = await leaseOf();
    await gone.wall.close();
    const other = counted(rules, await engine.join()).wall;
    expect(await figures(other)).toEqual([ZERO, mills(400)]);
    await endAt(lease, 1);
    await expect.poll(() => figures(other)).toEqual([mills(400), ZERO]);
    expect(await held.extend(mills(500))).toBe(mills(400));
    held.settle(mills(250));
    await expect.poll(() => figures(other)).toEqual([mills(250), ZERO]);
  });

  it("renew the lease of what is held for long", async () => {
    const clock = new VirtualClock(Date.now());
    const { wall } = counted(rules, await engine.join({ leaseMs: 3_600_000 }), { clock });
    await wall.reserve(ask(1, 400));
    const lease = await leaseOf();
    const endMs = await endOf(lease);
    await endAt(lease, endMs - 1_200_000);
    await clock.advance(1_200_000);
    await expect.poll(() => endOf(lease)).toBeGreaterThanOrEqual(endMs);
  });

  it("fail closed while Redis is away, tell it later what was settled, and ask the ledger when it comes back empty", async () => {
    let ledger = ZERO;
    const counters = await engine.join({ timeoutMs: 250 });
    const { wall } = counted(rules, counters, { spentSince: async () => ledger });
    await spend(wall, 100);
    const held = await wall.reserve(ask(1, 300));
    await engine.redis?.kill();

    await expect.poll(() => wall.reserve(ask(1)).catch((error) => error.kind)).toBe("budget_unavailable");
    const failure = await wall.reserve(ask(1)).catch((error) => error);
    expect(failure.message).toBe("budget team cannot be counted at this time; try again");
    expect(failure.operator).toContain("Redis is away");
    expect(failure.traits).toMatchObject({ http: 503, retryable: true });
    expect(await held.extend(mills(400))).toBe(mills(300));
    held.settle(mills(200));

    ledger = mills(300);
    await engine.redis?.start();
    await expect
      .poll(() => figures(wall).catch(() => []), { timeout: 5_000 })
      .toEqual([expect.anything(), ZERO]);
    // What was reserved just before may have come to the ledger after it was asked: it is rather counted twice.
    await expect.poll(() => figures(wall), { timeout: 5_000 }).toEqual([mills(500), ZERO]);
  });

  it("let what soft budgets are about pass while Redis is away, and count it later", async () => {
    const { wall } = counted([budgetOf({ mode: "soft" })], await engine.join({ timeoutMs: 250 }));
    await spend(wall, 100);
    engine.redis?.pause();
    const started = performance.now();
    const reservation = await wall.reserve(ask(1, 2, 3));
    expect(performance.now() - started).toBeGreaterThan(200);
    expect(reservation.granted).toBe(mills(3));
    expect(await reservation.extend(mills(9))).toBe(mills(9));
    reservation.settle(mills(50));
    engine.redis?.resume();
    await expect.poll(() => figures(wall), { timeout: 5_000 }).toEqual([mills(150), ZERO]);
  });

  it("cut nothing off that soft budgets are about, though Redis holds nothing for it", async () => {
    const { wall } = counted([budgetOf({ mode: "soft" })], await engine.join({ timeoutMs: 100 }));
    const held = await wall.reserve(ask(1, 2, 3));
    await command("FLUSHALL");
    expect(await held.extend(mills(9))).toBe(mills(9));
    engine.redis?.pause();
    const unheard = await wall.reserve(ask(1, 2, 3));
    engine.redis?.resume();
    expect(await unheard.extend(mills(9))).toBe(mills(9));
  });

  it("warn of what a gateway of the version before began to count", async () => {
    const { wall, warnings } = counted(rules, await engine.join());
    await spend(wall, 100);
    await expect.poll(() => figures(wall)).toEqual([mills(100), ZERO]);
    const [key = ""] = (await command("KEYS", "*:c:*")) as string[];
    await command("HDEL", key, "told_ratio");
    await spend(wall, 500);
    await expect.poll(() => warnings).toEqual(["team 0.5"]);
  });

  it("hold nothing for a call that heard no answer in time", async () => {
    const { wall } = counted(rules, await engine.join({ timeoutMs: 100 }));
    await spend(wall, 100);
    engine.redis?.pause();
    await expect(wall.reserve(ask(1, 500))).rejects.toMatchObject({ kind: "budget_unavailable" });
    engine.redis?.resume();
    await expect.poll(() => figures(wall).catch(() => []), { timeout: 5_000 }).toEqual([mills(100), ZERO]);
  });

  it.each([
    ["was emptied", ["FLUSHALL"]],
    ["came up with an older memory, and so without the script", ["SCRIPT", "FLUSH"]],
  ])("ask the ledger anew when Redis %s", async (_, flush) => {
    let ledger: PicoUsd = ZERO;
    const { wall } = counted(rules, await engine.join(), { spentSince: async () => ledger });
    await figures(wall);
    // Long ago: an epoch that has just begun is believed without the script.
    await command("SET", "llmgateway:{budget}:epoch", "1:long-ago");
    await spend(wall, 100);
    await expect.poll(() => figures(wall)).toEqual([mills(100), ZERO]);
    ledger = mills(700);
    await command(...flush);
    expect(await figures(wall)).toEqual([mills(700), ZERO]);
  });

  it("serve 5,000 calls at once within the usual limit of time, since Redis answers all the while", async () => {
    const { wall } = counted([budgetOf({ limitUsd: 1e6 })], await engine.join());
    await wall.reserve(ask(1));
    const all = await Promise.all(Array.from({ length: 5_000 }, () => wall.reserve(ask(1))));
    expect(new Set(all.map(({ granted }) => granted))).toEqual(new Set([mills(1)]));
  });

  it("round up to a nano-dollar, and never grant more than was asked", async () => {
    const { wall } = counted(rules, await engine.join());
    const most = 1_234_567_001n as PicoUsd;
    const reservation = await wall.reserve({ ...ask(0), most });
    expect(reservation.granted).toBe(most);
    reservation.settle(1_000_000_001n as PicoUsd);
    await expect.poll(() => figures(wall)).toEqual([1_000_001_000n, ZERO]);
  });

  it("keep all keys on one node of a cluster, and none for ever but the epoch", async () => {
    const { wall } = counted([budgetOf({ each: ["tag:user"] })], await engine.join());
    const tags = { user: "{}:\n\0" };
    (await wall.reserve(ask(1, 2, 3, { spending: spending({ tags }) }))).settle(mills(1));
    await wall.reserve(ask(1));
    await expect.poll(() => figures(wall)).toBeDefined();
    const keys = (await command("KEYS", "*")) as string[];
    expect(keys.length).toBeGreaterThan(5);
    for (const key of keys) {
      expect(key).toMatch(/^llmgateway:\{budget\}:/);
      const lasting = /:(epoch|leases)$/.test(key);
      expect((await command("PTTL", key)) === -1, key).toBe(lasting);
    }
  });
});
