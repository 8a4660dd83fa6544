/** What budgets in memory do with more values than they keep. */
import { expect, it } from "vitest";
import { type PicoUsd, ZERO } from "../../../src/core/money.ts";
import { memoryCounters } from "../../../src/cost/budget/memory.ts";
import { budgetOf } from "../../support/budgets.ts";
import { ask, counted, mills, spending } from "./counted.ts";

/** As many values as are kept. */
const MANY = 100_000;

it("are a wall though one was forgotten, and counted anew, while another was looked up", async () => {
  const late = Promise.withResolvers<PicoUsd>();
  const { wall } = counted([budgetOf({ name: "all" }), budgetOf({ each: ["tag:user"] })], memoryCounters, {
    spentSince: async ({ tags }) => (tags?.user === "late" ? late.promise : ZERO),
  });
  const of = (user: string, amount: number) =>
    wall.reserve(ask(amount, amount, amount, { spending: spending({ tags: { user } }) }));
  for (let n = 2; n < MANY; n++) (await of(`${n}`, 1)).settle(ZERO);
  const waiting = of("late", 600);
  // The first of these takes the place of the oldest, which is the one for all.
  for (const user of ["a", "b", "c"]) (await of(user, 1)).settle(ZERO);
  late.resolve(ZERO);
  expect((await waiting).granted).toBe(mills(600));
  const [all] = wall.snapshot(MANY + 1).filter(({ counter }) => counter.budget === "all");
  expect(all?.reserved).toBe(mills(600));
});
