import { describe, expect, it } from "vitest";
import { drawn, settled, type Weighted, weighted } from "../../src/routing/alias.ts";

const CALLS = 20_000;

/** Names with their weights. */
function targetsOf(weights: Readonly<Record<string, number>>): Weighted[] {
  return Object.entries(weights).map(([provider, weight]) => weighted({ provider, model: "m" }, weight));
}

/** Evenly from 0 up to 1, the same each time. */
function seeded(): () => number {
  let state = 7;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function counted(names: Iterable<string | undefined>): Map<string | undefined, number> {
  const counts = new Map<string | undefined, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

const named = (targets: readonly { provider: string }[]) => targets.map(({ provider }) => provider);
const sessions = Array.from({ length: CALLS }, (_, index) => `acme\nconversation ${index}`);

describe.each([[{ a: 70, b: 20, c: 10 }], [{ a: 1, b: 1 }], [{ a: 0.5, b: 0.3, c: 0.1, d: 0.1 }]])(
  "%j",
  (weights: Readonly<Record<string, number>>) => {
    const targets = targetsOf(weights);
    const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
    const isShared = (firsts: readonly (string | undefined)[]) => {
      const counts = counted(firsts);
      for (const [name, weight] of Object.entries(weights)) {
        const share = weight / total;
        // Four standard deviations.
        const tolerance = 4 * Math.sqrt(CALLS * share * (1 - share));
        expect(Math.abs((counts.get(name) ?? 0) - CALLS * share), name).toBeLessThan(tolerance);
      }
    };

    it("shares the calls by weight", () => {
      const random = seeded();
      isShared(Array.from({ length: CALLS }, () => drawn(targets, random)[0]?.provider));
    });

    it("shares the sessions by weight", () => {
      isShared(sessions.map((session) => settled(targets, session)[0]?.provider));
    });
  },
);

describe("a draw", () => {
  it.each([
    [0, ["a", "b", "c", "spare"]],
    [0.0999, ["a", "b", "c", "spare"]],
    [0.1, ["b", "c", "a", "spare"]],
    [0.4, ["c", "b", "a", "spare"]],
    [0.9999, ["c", "b", "a", "spare"]],
  ])("of %d has the others behind it, the heaviest first, and the weightless last", (random, order) => {
    const targets = targetsOf({ spare: 0, a: 10, b: 30, c: 60 });
    // The order of the configuration does not matter for who follows.
    const first = order[0];
    const rest = order.slice(1, -1).sort((x, y) => "abc".indexOf(y) - "abc".indexOf(x));
    expect(named(drawn(targets, () => random))).toEqual([first, ...rest, "spare"]);
  });

  it("takes one without weight when nobody else is left", () => {
    expect(named(drawn(targetsOf({ spare: 0 }), () => 0.5))).toEqual(["spare"]);
    expect(drawn([], () => 0.5)).toEqual([]);
  });
});

describe("a session", () => {
  const all = targetsOf({ a: 50, b: 30, c: 20, spare: 0 });
  const firsts = (targets: readonly Weighted[]) =>
    sessions.map((session) => settled(targets, session)[0]?.provider);

  it("has one order of all targets, whatever theirs is in the configuration", () => {
    const [session = ""] = sessions;
    expect(settled([...all].reverse(), session)).toEqual(settled(all, session));
    expect(settled(all, session)).toHaveLength(all.length);
    expect(settled(all, session).at(-1)?.provider).toBe("spare");
  });

  it("goes elsewhere only when its own target goes, and then where it would have gone next", () => {
    const before = firsts(all);
    const without = all.filter(({ target }) => target.provider !== "b");
    const after = firsts(without);
    const orders = sessions.map((session) => named(settled(all, session)));
    expect(after).toEqual(orders.map((order) => order.find((name) => name !== "b")));
    expect(after.filter((name, index) => before[index] !== "b" && name !== before[index])).toEqual([]);
  });

  it("goes to a new target only as one of its share", () => {
    const before = firsts(all);
    const after = firsts([...all, ...targetsOf({ d: 100 })]);
    const moved = after.filter((name, index) => name !== before[index]);
    expect(new Set(moved)).toEqual(new Set(["d"]));
    expect(Math.abs(moved.length - CALLS / 2)).toBeLessThan(4 * Math.sqrt(CALLS / 4));
  });
});
