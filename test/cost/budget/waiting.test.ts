/** Windows and lines, in virtual time. */

import { describe, expect, it } from "vitest";
import { ZERO } from "../../../src/core/money.ts";
import { memoryCounters } from "../../../src/cost/budget/memory.ts";
import { budgetOf } from "../../support/budgets.ts";
import { settled, VirtualClock } from "../../support/clock.ts";
import { ask, type CountedInit, counted, mills, spending } from "./counted.ts";

const START = Date.UTC(2026, 6, 31, 23, 59, 58);

function inVirtualTime(rules: Parameters<typeof counted>[0], init: CountedInit = {}) {
  const clock = new VirtualClock(START);
  return { clock, ...counted(rules, memoryCounters, { clock, ...init }) };
}

describe("a window's end", () => {
  it("begins the count anew, and what was reserved before settles before", async () => {
    const { clock, wall, loads } = inVirtualTime([budgetOf({ per: "month" })]);
    const old = await wall.reserve(ask(1, 800));
    await clock.advance(2_000);
    expect(wall.snapshot(10)).toEqual([]);
    const young = await wall.reserve(ask(1, 900));
    expect(young.granted).toBe(mills(900));
    old.settle(mills(800));
    expect(wall.snapshot(10)).toMatchObject([{ spent: ZERO, reserved: mills(900) }]);
    expect(loads.map(({ sinceMs }) => sinceMs)).toEqual([Date.UTC(2026, 6), Date.UTC(2026, 7)]);
  });

  it("frees who waits for it, by the end of the wait", async () => {
    const { clock, wall } = inVirtualTime([budgetOf({ per: "hour" })]);
    await wall.reserve(ask(1, 900));
    const waiting = wall.reserve(ask(500));
    await clock.advance(2_000);
    expect((await waiting).granted).toBe(mills(500));
    expect(clock.pending).toBe(0);
  });

  it("is told with the refusal", async () => {
    const { wall } = inVirtualTime([budgetOf({ each: ["tenant"] })], { before: mills(1_000) });
    await expect(wall.reserve(ask(1))).rejects.toMatchObject({
      message:
        "budget team (tenant=acme) is used up: $1 of $1 are spent, and this call needs $0.001 at least; " +
        "it begins anew at 2026-08-01T00:00:00.000Z",
      retryAfterMs: 2_000,
    });
  });
});

describe("a line", () => {
  it("serves in order of arrival: who wants little does not overtake who wants much", async () => {
    const { wall } = inVirtualTime([budgetOf()]);
    const first = await wall.reserve(ask(1, 600));
    const second = await wall.reserve(ask(1, 300));
    const order: string[] = [];
    const much = wall.reserve(ask(1, 700)).then(() => order.push("much"));
    await settled();
    const little = wall.reserve(ask(1, 50)).then(() => order.push("little"));
    await settled();
    second.settle(ZERO);
    await settled();
    expect(order).toEqual([]);
    first.settle(ZERO);
    await Promise.all([much, little]);
    expect(order).toEqual(["much", "little"]);
  });

  it("for one budget holds up nobody who goes by others alone", async () => {
    const { wall } = inVirtualTime([
      budgetOf({ each: ["tenant"] }),
      budgetOf({ name: "all", limitUsd: 100 }),
    ]);
    await wall.reserve(ask(1, 900));
    const waiting = wall.reserve(ask(1, 500));
    waiting.catch(() => {});
    await settled();
    const other = await wall.reserve(ask(1, 500, 500, { spending: spending({ tenant: "other" }) }));
    expect(other.granted).toBe(mills(500));
  });

  it("has so many places and no more", async () => {
    const { wall, clock, refusals } = inVirtualTime([budgetOf()], { maxWaiters: 2, maxWaitMs: 1_000 });
    await wall.reserve(ask(1, 1_000));
    const waiting = [1, 2].map(() => wall.reserve(ask(1)).catch((error) => error.kind));
    await settled();
    const failure = await wall.reserve(ask(1)).catch((error) => error);
    expect(failure).toMatchObject({ kind: "budget_exceeded", retryAfterMs: 2_000 });
    expect(failure.message).toBe("budget team is nearly used up, and 2 calls wait for what others hold");
    await clock.advance(1_000);
    expect(await Promise.all(waiting)).toEqual(["budget_exceeded", "budget_exceeded"]);
    expect(refusals).toEqual(["team", "team", "team"]);
  });

  it("moves when the budgets are others", async () => {
    const { wall } = inVirtualTime([budgetOf()]);
    await wall.reserve(ask(1, 900));
    const waiting = [wall.reserve(ask(1, 500)), wall.reserve(ask(1, 500))];
    await settled();
    wall.replace([budgetOf({ limitUsd: 2 })]);
    expect((await Promise.all(waiting)).map(({ granted }) => granted)).toEqual([mills(500), mills(500)]);
  });

  it("moves to the budget that lacks now", async () => {
    const { wall } = inVirtualTime([
      budgetOf({ each: ["tenant"] }),
      budgetOf({ name: "all", limitUsd: 1.5 }),
    ]);
    const own = await wall.reserve(ask(1, 900));
    const waiting = wall.reserve(ask(1, 700));
    await settled();
    const other = await wall.reserve(ask(1, 550, 550, { spending: spending({ tenant: "other" }) }));
    own.settle(mills(300));
    await settled();
    expect(wall.snapshot(10).map(({ reserved }) => reserved)).toContain(mills(550));
    other.settle(ZERO);
    expect((await waiting).granted).toBe(mills(700));
  });
});

describe("who has left", () => {
  const gone = () => AbortSignal.abort(new Error("gone"));

  it("is not served", async () => {
    const { wall } = inVirtualTime([budgetOf()]);
    await expect(wall.reserve(ask(1, 2, 3, { signal: gone() }))).rejects.toThrow("gone");
  });

  it("while the ledger was asked holds nothing", async () => {
    const leaving = new AbortController();
    const { promise, resolve } = Promise.withResolvers<typeof ZERO>();
    const { wall } = inVirtualTime([budgetOf()], { spentSince: () => promise });
    const waiting = wall.reserve(ask(1, 2, 3, { signal: leaving.signal })).catch((error) => error.message);
    leaving.abort(new Error("gone"));
    resolve(ZERO);
    expect(await waiting).toBe("gone");
    expect(wall.snapshot(1)).toMatchObject([{ spent: ZERO, reserved: ZERO }]);
  });
});

it("costs nothing where no budget is about it", async () => {
  const { wall, loads } = inVirtualTime([budgetOf({ tenant: "other" })]);
  const reservation = await wall.reserve(ask(1, 2, 5_000));
  expect(reservation.granted).toBe(mills(5_000));
  expect(await reservation.extend(mills(6_000))).toBe(mills(6_000));
  reservation.settle(mills(1));
  expect(loads).toEqual([]);
});
