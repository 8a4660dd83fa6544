/** What budgets promise, wherever they are counted. */

import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { type PicoUsd, ZERO } from "../../../src/core/money.ts";
import type { Reservation } from "../../../src/cost/budget/budgets.ts";
import { budgetOf } from "../../support/budgets.ts";
import { ask, type CountedInit, counted, ENGINES, type Engine, mills, spending } from "./counted.ts";

/** Each test has budgets of its own, so that one Redis serves all. */
let names = 0;
const unique = () => `team${names++}`;

describe.each(Object.entries(ENGINES))("in %s", (_, open) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.close());

  /** One budget and its gateway, connected. */
  async function one(fields: Parameters<typeof budgetOf>[0] = {}, init: CountedInit = {}) {
    const name = unique();
    const rules = [budgetOf({ name, ...fields })];
    const all = counted(rules, await engine.join(), init);
    const figures = () => {
      const [first] = all.wall.snapshot(10);
      return first && { spent: first.spent, reserved: first.reserved };
    };
    return {
      ...all,
      name,
      rules,
      figures,
      stands: (spent: number, reserved: number) =>
        expect.poll(figures).toEqual({ spent: mills(spent), reserved: mills(reserved) }),
    };
  }

  it("holds what it grants, books what was spent and gives the rest back", async () => {
    const { wall, stands } = await one();
    const reservation = await wall.reserve(ask(10, 100, 200));
    expect(reservation.granted).toBe(mills(200));
    await stands(0, 200);
    reservation.settle(mills(30));
    reservation.settle(mills(500));
    await stands(30, 0);
  });

  it("tells what would become of an ask, and holds nothing", async () => {
    const { wall, name, refusals } = await one({ limitUsd: 1 }, { before: mills(100) });
    const untouched = await wall.foresee(ask(10, 100, 900));
    expect(untouched).toMatchObject({ granted: mills(225), refusal: undefined, incomplete: false });
    expect(untouched.standings).toMatchObject([
      { budget: name, period: "day", hard: true, limit: mills(1_000), spent: mills(100), reserved: ZERO },
    ]);
    const held = await wall.reserve(ask(10, 600));
    const { standings, granted } = await wall.foresee(ask(10, 400));
    expect(standings).toMatchObject([{ spent: mills(100), reserved: mills(600) }]);
    // What others hold comes back, as far as it is needed; until then there is this.
    expect(granted).toBe(mills(300));
    expect((await wall.foresee(ask(350, 400))).granted).toBe(mills(350));
    const { refusal } = await wall.foresee(ask(901));
    expect(refusal?.message).toContain(`budget ${name} is used up`);
    expect(refusals).toEqual([]);
    held.settle(ZERO);
    expect((await wall.reserve(ask(900))).granted).toBe(mills(900));
  });

  it("looks more closely before it tells of a refusal", async () => {
    const { wall } = await one();
    const tighten = async () => ({ least: mills(1), wanted: mills(1), most: mills(1) });
    expect(await wall.foresee(ask(2_000, 2_000, 2_000, { tighten }))).toMatchObject({
      granted: mills(1),
      refusal: undefined,
    });
  });

  it.each(["hard", "soft"])("tells that it cannot be read: %s", async (mode) => {
    const spentSince = () => Promise.reject(new Error("the ledger is away"));
    const { wall } = await one({ mode }, { spentSince });
    const { standings, incomplete, refusal } = await wall.foresee(ask(1));
    expect({ standings, incomplete }).toEqual({ standings: [], incomplete: true });
    expect(refusal?.kind).toBe(mode === "hard" ? "budget_unavailable" : undefined);
  });

  it("grants no more than a quarter of what is left, unless more is wanted", async () => {
    const { wall } = await one();
    expect((await wall.reserve(ask(1, 10, 900))).granted).toBe(mills(250));
    expect((await wall.reserve(ask(1, 300, 900))).granted).toBe(mills(300));
  });

  it("refuses at once what it can never afford, and says why and until when", async () => {
    const { wall, name, refusals } = await one({}, { before: mills(995) });
    const failure = await wall.reserve(ask(6)).catch((error) => error);
    expect(failure).toMatchObject({ kind: "budget_exceeded" });
    expect(failure.message).toContain(`budget ${name} is used up: $0.995 of $1 are spent`);
    expect(failure.message).toMatch(
      /needs \$0\.006 at least; it begins anew at \d{4}-\d\d-\d\dT00:00:00\.000Z/,
    );
    const untilMidnight = 86_400_000 - (Date.now() % 86_400_000);
    expect(Math.abs(failure.retryAfterMs - untilMidnight)).toBeLessThan(5_000);
    expect(refusals).toEqual([name]);
  });

  it("gives the last of it to who can do with less, when nobody holds anything", async () => {
    const { wall } = await one({}, { before: mills(950) });
    expect((await wall.reserve(ask(10, 100, 200))).granted).toBe(mills(50));
  });

  it("waits for what others hold", async () => {
    const { wall } = await one();
    const first = await wall.reserve(ask(1, 900));
    const waiting = wall.reserve(ask(1, 500));
    first.settle(mills(100));
    expect((await waiting).granted).toBe(mills(500));
  });

  it("grants what is left after the longest wait, or refuses", async () => {
    const { wall } = await one({}, { maxWaitMs: 60 });
    await wall.reserve(ask(1, 900));
    const [less, none] = await Promise.allSettled([wall.reserve(ask(1, 500)), wall.reserve(ask(200, 500))]);
    expect(less).toMatchObject({ status: "fulfilled", value: { granted: mills(100) } });
    expect(none).toMatchObject({
      status: "rejected",
      reason: { kind: "budget_exceeded", retryAfterMs: 2_000 },
    });
    const { reason } = none as PromiseRejectedResult;
    expect(reason.message).toMatch(/held by calls under way; try again$/);
    expect(reason.noRoom).toBe(true);
  });

  it("ends a wait with the caller, and lets the next one in", async () => {
    const { wall, stands } = await one();
    const first = await wall.reserve(ask(1, 900));
    const leaving = new AbortController();
    const left = wall.reserve(ask(1, 950, 950, { signal: leaving.signal })).catch((error) => error);
    const next = wall.reserve(ask(1, 50));
    leaving.abort(new Error("gone"));
    expect(await left).toMatchObject({ message: "gone" });
    expect((await next).granted).toBe(mills(50));
    first.settle(ZERO);
    await stands(0, 50);
  });

  it("extends up to what is left, without waiting", async () => {
    const { wall, stands } = await one();
    const stream = await wall.reserve(ask(1, 100));
    await wall.reserve(ask(1, 800));
    expect(await stream.extend(mills(150))).toBe(mills(150));
    expect(await stream.extend(mills(900))).toBe(mills(200));
    expect(await stream.extend(mills(950))).toBe(mills(200));
    await stands(0, 1_000);
    stream.settle(mills(180));
    expect(await stream.extend(mills(950))).toBe(mills(200));
    await stands(180, 800);
  });

  it("holds in all budgets that apply or in none", async () => {
    const name = unique();
    const rules = [
      budgetOf({ name: `${name}-all` }),
      budgetOf({ name: `${name}-small`, limitUsd: 0.1, model: "gpt-4o" }),
    ];
    const { wall } = counted(rules, await engine.join());
    await wall.reserve(ask(90));
    await expect(wall.reserve(ask(110))).rejects.toThrow(`budget ${name}-small is used up`);
    const other = ask(1, 800, 800, { spending: spending({ model: "gpt-4o-mini" }) });
    expect((await wall.reserve(other)).granted).toBe(mills(800));
    expect(wall.snapshot(10).map(({ counter, reserved }) => [counter.budget, reserved])).toEqual(
      expect.arrayContaining([
        [`${name}-all`, mills(890)],
        [`${name}-small`, mills(90)],
      ]),
    );
  });

  it("gives every value of `each` its own", async () => {
    const { wall } = await one({ each: ["tag:user"] });
    const by = (user: string) => ask(900, 900, 900, { spending: spending({ tags: { user } }) });
    expect((await wall.reserve(by("ann"))).granted).toBe(mills(900));
    expect((await wall.reserve(by("bob"))).granted).toBe(mills(900));
  });

  it("never refuses on account of a soft budget, but counts it", async () => {
    const { wall, stands } = await one({ mode: "soft" });
    const reservation = await wall.reserve(ask(3_000, 4_000, 5_000));
    expect(reservation.granted).toBe(mills(5_000));
    expect(await reservation.extend(mills(6_000))).toBe(mills(6_000));
    reservation.settle(mills(4_000));
    await stands(4_000, 0);
    expect(wall.reach(spending())).toBe("soft");
  });

  it("warns once for each part of the limit that is spent", async () => {
    const { wall, warnings, name } = await one({ warnAt: [1, 0.5, 0.8] });
    const spend = async (amount: number) => (await wall.reserve(ask(1, amount))).settle(mills(amount));
    await spend(490);
    await spend(10);
    await expect.poll(() => warnings).toEqual([`${name} 0.5`]);
    await spend(20);
    await spend(480);
    await expect.poll(() => warnings).toEqual([`${name} 0.5`, `${name} 0.8`, `${name} 1`]);
  });

  it("warns of a raised limit too, when as much of that is spent", async () => {
    const { wall, rules, warnings, name } = await one({ warnAt: [0.5, 0.8, 1] });
    const spend = async (amount: number) => (await wall.reserve(ask(1, amount))).settle(mills(amount));
    await spend(1_000);
    const before = [`${name} 0.5`, `${name} 0.8`, `${name} 1`];
    await expect.poll(() => warnings).toEqual(before);
    wall.replace(rules.map((old) => ({ ...old, limitUsd: 2 })));
    await spend(500);
    await spend(100);
    await expect.poll(() => warnings).toEqual([...before, `${name} 0.8`]);
    await spend(400);
    await expect.poll(() => warnings).toEqual([...before, `${name} 0.8`, `${name} 1`]);
  });

  it("warns of a lowered limit too, of which more is spent than of the one before", async () => {
    const { wall, rules, warnings, name } = await one({ mode: "soft", warnAt: [0.5, 0.8, 1] });
    const spend = async (amount: number) => (await wall.reserve(ask(1, amount))).settle(mills(amount));
    await spend(850);
    const before = [`${name} 0.5`, `${name} 0.8`];
    await expect.poll(() => warnings).toEqual(before);
    wall.replace(rules.map((old) => ({ ...old, limitUsd: 0.8 })));
    await spend(1);
    await spend(1);
    await expect.poll(() => warnings).toEqual([...before, `${name} 1`]);
  });

  it("asks the ledger once what was spent in the window, for all who wait for it", async () => {
    const name = unique();
    const fields = { name, tenant: "acme", each: ["tag:user"], tags: { stage: "live" } };
    const { wall, loads } = counted([budgetOf(fields)], await engine.join(), { before: mills(400) });
    const call = ask(0, 10, 10, { spending: spending({ tags: { stage: "live", user: "ann" } }) });
    await Promise.all([wall.reserve(call), wall.reserve(call), wall.reserve(call)]);
    const filter = { tenant: "acme", tags: { stage: "live", user: "ann" } };
    const sinceMs = Date.now() - (Date.now() % 86_400_000);
    expect(loads).toEqual([{ filter, sinceMs }]);
    expect(wall.snapshot(1)[0]).toMatchObject({
      spent: mills(400),
      reserved: mills(30),
      counter: { scope: "user=ann" },
    });
  });

  it("keeps what was spent over a change of the limit, and asks the ledger for a new budget", async () => {
    const { wall, rules, loads } = await one();
    (await wall.reserve(ask(1, 600))).settle(mills(600));
    wall.replace([
      ...rules.map((old) => ({ ...old, limitUsd: 0.7 })),
      budgetOf({ name: unique(), per: "month" }),
    ]);
    await expect(wall.reserve(ask(150))).rejects.toThrow("$0.6 of $0.7 are spent");
    expect((await wall.reserve(ask(100))).granted).toBe(mills(100));
    expect(loads.length).toBe(2);
    wall.replace([]);
    expect((await wall.reserve(ask(9_999))).granted).toBe(mills(9_999));
    expect(wall.snapshot(10)).toEqual([]);
  });

  it("goes by the limits in force where one of the budgets is counted for the first time", async () => {
    const { wall, rules } = await one();
    (await wall.reserve(ask(1, 600))).settle(mills(600));
    const lowered = rules.map((old) => ({ ...old, limitUsd: 0.7 }));
    wall.replace([budgetOf({ name: unique(), each: ["tag:user"] }), ...lowered]);
    const byAnn = ask(150, 150, 150, { spending: spending({ tags: { user: "ann" } }) });
    await expect(wall.reserve(byAnn)).rejects.toThrow("$0.6 of $0.7 are spent");
  });

  it("refuses a hard budget that the ledger cannot tell, and lets a soft one pass", async () => {
    const init = { spentSince: () => Promise.reject(new Error("the disk is full")) };
    const hard = counted([budgetOf({ name: unique() })], await engine.join(), init).wall;
    const failed = () => hard.reserve(ask(1)).catch((error) => error);
    await expect.poll(async () => (await failed()).operator).toContain("the disk is full");
    expect(await failed()).toMatchObject({ kind: "budget_unavailable", retryAfterMs: 1_000 });
    const soft = counted([budgetOf({ name: unique(), mode: "soft" })], await engine.join(), init).wall;
    expect((await soft.reserve(ask(1, 2, 3))).granted).toBe(mills(3));
  });

  it("is a wall: of a dollar, 2,000 calls of a cent at once get 99 at least and spend no more", async () => {
    const { wall, figures } = await one();
    let served = 0;
    let refused = 0;
    const call = async (_: unknown, i: number) => {
      try {
        const reservation = await wall.reserve(ask(10, 10 + (i % 3) * 10, 30));
        await pause(1 + (i % 5));
        if (reservation.granted < mills(10)) throw new Error("less than the least was granted");
        reservation.settle(mills(10));
        served++;
      } catch (error) {
        expect(error).toMatchObject({ kind: "budget_exceeded" });
        refused++;
      }
    };
    await Promise.all(Array.from({ length: 2_000 }, call));
    await expect.poll(() => figures()?.reserved).toBe(ZERO);
    expect(figures()?.spent).toBe(mills(10 * served));
    expect(served).toBeGreaterThanOrEqual(99);
    expect(served).toBeLessThanOrEqual(100);
    expect(served + refused).toBe(2_000);
  });

  it("is a wall for streams of unknown length, which take more as they go", async () => {
    const { wall, figures } = await one();
    const cost = (i: number) => 2 + ((i * 7) % 37);
    let total = 0;
    const stream = async (_: unknown, i: number) => {
      const reservation = await wall.reserve(ask(1, 4, 8)).catch(() => undefined);
      if (!reservation) return;
      let spent = 0;
      while (spent < cost(i)) {
        if (mills(spent + 1) > (await reservation.extend(mills(Math.max(4, spent + 3))))) break;
        spent++;
      }
      reservation.settle(mills(spent));
      total += spent;
    };
    await Promise.all(Array.from({ length: 300 }, stream));
    await expect.poll(() => figures()?.reserved).toBe(ZERO);
    expect(figures()?.spent).toBe(mills(total));
    expect(total).toBeLessThanOrEqual(1_000);
    expect(total).toBeGreaterThan(990);
  });

  it("keeps every limit and loses nothing, whatever comes in whichever order", async () => {
    const amount = fc.integer({ min: 0, max: 400 });
    const step = fc.record({
      act: fc.constantFrom("reserve", "extend", "settle"),
      target: fc.nat(9),
      model: fc.constantFrom("gpt-4o", "gpt-4o-mini"),
      amount,
      more: amount,
    });
    const counters = await engine.join();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const name = unique();
        const rules = [
          budgetOf({ name: `${name}-a` }),
          budgetOf({ name: `${name}-b`, limitUsd: 0.6, model: "gpt-4o" }),
          budgetOf({ name: `${name}-c`, limitUsd: 0.01, mode: "soft" }),
        ];
        // Asks that cannot be had end at once.
        const { wall } = counted(rules, counters, { maxWaitMs: 0, clock: systemClock });
        const open: { held: Reservation; model: string }[] = [];
        const spent: Record<string, bigint> = { "gpt-4o": 0n, "gpt-4o-mini": 0n };
        const settle = (at: number, part: number) => {
          const [one] = open.splice(at, 1);
          if (!one) return;
          const cost = ((one.held.granted * BigInt(part)) / 400n / 1_000n) * 1_000n;
          one.held.settle(cost as PicoUsd);
          spent[one.model] = (spent[one.model] ?? 0n) + cost;
        };
        for (const { act, target, model, amount, more } of steps) {
          const one = open[target % Math.max(1, open.length)];
          if (act === "settle") settle(target % Math.max(1, open.length), amount);
          else if (act === "extend") await one?.held.extend(mills(amount + more));
          else {
            const wish = ask(Math.floor(amount / 2), amount, amount + more, {
              spending: spending({ model }),
            });
            const held = await wall.reserve(wish).catch(() => undefined);
            if (held) open.push({ held, model });
          }
          const holds = (models: readonly string[]) =>
            open.reduce((sum, { held, model }) => sum + (models.includes(model) ? held.granted : 0n), 0n);
          expect((spent["gpt-4o"] ?? 0n) + holds(["gpt-4o"])).toBeLessThanOrEqual(mills(600));
          const all = ["gpt-4o", "gpt-4o-mini"];
          expect((spent["gpt-4o"] ?? 0n) + (spent["gpt-4o-mini"] ?? 0n) + holds(all)).toBeLessThanOrEqual(
            mills(1_000),
          );
        }
        while (open.length > 0) settle(0, 100);
        // One more, so that what was sent before it has arrived.
        for (const model of Object.keys(spent)) {
          (await wall.reserve(ask(0, 0, 0, { spending: spending({ model }) }))).settle(ZERO);
        }
        const total = Object.values(spent).reduce((sum, one) => sum + one, 0n);
        const expected: Record<string, bigint | undefined> = { a: total, b: spent["gpt-4o"], c: total };
        await expect
          .poll(() =>
            wall.snapshot(10).map(({ counter, spent, reserved }) => [counter.budget, spent, reserved]),
          )
          .toEqual(
            expect.arrayContaining(
              Object.entries(expected).map(([letter, sum]) => [`${name}-${letter}`, sum, 0n]),
            ),
          );
      }),
      { numRuns: 60 },
    );
  });
});
