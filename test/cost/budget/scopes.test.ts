import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileScopes } from "../../../src/cost/budget/scopes.ts";
import { budgetOf } from "../../support/budgets.ts";
import { mills, spending } from "./counted.ts";

const NOW = Date.UTC(2026, 1, 28, 23, 59, 59, 999);

function only(fields: Parameters<typeof budgetOf>[0], nowMs = NOW, by = spending()) {
  const [counter, ...more] = compileScopes([budgetOf(fields)]).of(by, nowMs);
  if (!counter || more.length > 0) throw new Error("there is not one counter");
  return counter;
}

describe("the budgets that are about a spending", () => {
  const by = spending({ tags: { team: "search", stage: "live" } });

  it.each([
    [{}, true],
    [{ tenant: "acme" }, true],
    [{ tenant: "other" }, false],
    [{ key: "app" }, true],
    [{ key: "acme" }, false],
    [{ provider: "openai" }, true],
    [{ provider: "claude" }, false],
    [{ model: "gpt-4o" }, true],
    [{ model: "gpt" }, false],
    [{ tags: { team: "search" } }, true],
    [{ tags: { team: "search", stage: "live" } }, true],
    [{ tags: { team: "search", stage: "test" } }, false],
    [{ tags: { toString: "" } }, true],
    [{ tags: { team: "" } }, false],
    [{ tenant: "acme", model: "other" }, false],
  ])("%j: %s", (fields, applies) => {
    const scopes = compileScopes([budgetOf(fields)]);
    expect(scopes.of(by, NOW).length).toBe(applies ? 1 : 0);
    expect(scopes.reach(by)).toBe(applies ? "hard" : "none");
  });

  it("are told to the ledger in its own terms", () => {
    const fields = {
      tenant: "acme",
      key: "app",
      provider: "openai",
      model: "gpt-4o",
      tags: { team: "search" },
    };
    const filter = { tenant: "acme", principal: "app", provider: "openai", model: "gpt-4o" };
    expect(only(fields, NOW, by).filter).toEqual({ ...filter, tags: { team: "search" } });
    expect(only({}).filter).toEqual({});
    const each = ["tenant", "key", "provider", "model", "tag:stage", "tag:none"];
    const counter = only({ each, tags: { team: "search" } }, NOW, by);
    expect(counter.filter).toEqual({ ...filter, tags: { team: "search", stage: "live", none: "" } });
    expect(counter.scope).toBe("tenant=acme,key=app,provider=openai,model=gpt-4o,stage=live,none=");
  });

  it("have their warnings in order, as amounts", () => {
    expect(only({ limitUsd: 2, warnAt: [1, 0.1, 0.8] }).thresholds).toEqual([
      { ratio: 0.1, amount: mills(200) },
      { ratio: 0.8, amount: mills(1_600) },
      { ratio: 1, amount: mills(2_000) },
    ]);
  });
});

describe("a window", () => {
  it.each([
    ["hour", Date.UTC(2026, 1, 28, 23), Date.UTC(2026, 2, 1)],
    ["day", Date.UTC(2026, 1, 28), Date.UTC(2026, 2, 1)],
    ["month", Date.UTC(2026, 1, 1), Date.UTC(2026, 2, 1)],
  ])("of a %s is the calendar's", (per, windowStartMs, windowEndMs) => {
    expect(only({ per })).toMatchObject({ windowStartMs, windowEndMs });
    expect(only({ per }, NOW + 1).windowStartMs).toBe(windowEndMs);
  });

  it("has counters of its own, which are made once", () => {
    const scopes = compileScopes([budgetOf({ per: "hour", each: ["tenant"] })]);
    const [first] = scopes.of(spending(), NOW);
    expect(scopes.of(spending(), NOW - 1)[0]).toBe(first);
    expect(scopes.of(spending({ tenant: "other" }), NOW)[0]?.key).not.toBe(first?.key);
    expect(scopes.of(spending(), NOW + 1)[0]?.key).not.toBe(first?.key);
  });
});

describe("a counter's key", () => {
  it("outlives a change of the limit, the mode and the warnings, and no other", () => {
    const { key } = only({ tags: { a: "1", b: "2" } }, NOW, spending({ tags: { a: "1", b: "2" } }));
    const same = { limitUsd: 5, mode: "soft", warnAt: [0.1], tags: { b: "2", a: "1" } };
    expect(only(same, NOW, spending({ tags: { a: "1", b: "2" } })).key).toBe(key);
    const others = [
      { name: "x" },
      { per: "month" },
      { tenant: "acme" },
      { key: "app" },
      { each: ["model"] },
      {},
    ];
    const keys = others.map((fields) => only(fields).key);
    expect(new Set([key, ...keys]).size).toBe(others.length + 1);
  });

  it("is another for other values, whatever is in them", () => {
    const text = fc.string({ unit: fc.constantFrom("1", ":", "a", "@", "\0"), maxLength: 6 });
    const pair = fc.tuple(text, text);
    const keyOf = ([a, b]: [string, string]) =>
      only({ each: ["tag:a", "tag:b"] }, NOW, spending({ tags: { a, b } })).key;
    fc.assert(
      fc.property(pair, pair, (one, other) => {
        expect(keyOf(one) === keyOf(other)).toBe(one[0] === other[0] && one[1] === other[1]);
      }),
    );
  });
});
