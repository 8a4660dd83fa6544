import fc from "fast-check";
import { expect, it } from "vitest";
import { FairQueue } from "../../src/resilience/fair-queue.ts";

interface Waiting {
  readonly caller: string;
  readonly number: number;
  /** The turn that it could have at the earliest, counted from when it came. */
  readonly turn: number;
  readonly takenBefore: number;
}

const CALLERS = ["a", "b", "c", "d"];
const moves = fc.array(
  fc.record({
    move: fc.constantFrom("add", "add", "take", "remove"),
    caller: fc.constantFrom(...CALLERS),
    which: fc.nat(),
  }),
  { maxLength: 200 },
);

/** A queue as the moves leave it, beside a plain list of who waits. */
function played(given: readonly { move: string; caller: string; which: number }[]) {
  const queue = new FairQueue<Waiting>();
  const waiting: Waiting[] = [];
  const taken: Waiting[] = [];
  let removed = 0;
  for (const [number, { move, caller, which }] of given.entries()) {
    if (move === "add") {
      const one = { caller, number, turn: queue.turnOf(caller), takenBefore: taken.length };
      queue.add(caller, one);
      waiting.push(one);
    } else if (move === "take") {
      const one = queue.take();
      expect(one === undefined).toBe(waiting.length === 0);
      if (one) taken.push(...waiting.splice(waiting.indexOf(one), 1));
    } else if (waiting.length > 0) {
      const [one] = waiting.splice(which % waiting.length, 1);
      expect.assert(one);
      expect(queue.remove(one.caller, one)).toBe(true);
      expect(queue.remove(one.caller, one)).toBe(false);
      removed++;
    }
    expect(queue.size).toBe(waiting.length);
  }
  return { queue, waiting, taken, removed };
}

it("loses nobody, and takes each caller's own in the order in which they came", () => {
  fc.assert(
    fc.property(moves, (given) => {
      const { queue, waiting, taken } = played(given);
      for (let one = queue.take(); one; one = queue.take()) {
        taken.push(one);
        expect(waiting.splice(waiting.indexOf(one), 1)).toEqual([one]);
      }
      expect(waiting).toEqual([]);
      for (const caller of CALLERS) {
        const numbers = taken.filter((one) => one.caller === caller).map(({ number }) => number);
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      }
    }),
  );
});

it("has everybody who waits served once before anybody is served twice, whoever comes in between", () => {
  fc.assert(
    fc.property(moves, fc.array(fc.constantFrom(...CALLERS), { maxLength: 20 }), (given, flood) => {
      const { queue, waiting } = played(given);
      const callers = new Set(waiting.map(({ caller }) => caller));
      const served: string[] = [];
      for (let turn = 0; turn < callers.size; turn++) {
        // Whoever floods it has waited already, and so comes behind its own.
        for (const caller of flood)
          if (callers.has(caller)) queue.add(caller, { caller, number: -1, turn: 0, takenBefore: 0 });
        const one = queue.take();
        expect.assert(one);
        served.push(one.caller);
      }
      expect(new Set(served)).toEqual(callers);
    }),
  );
});

it("tells the earliest turn that one more may have", () => {
  fc.assert(
    fc.property(
      moves.map((given) => given.filter(({ move }) => move !== "remove")),
      (given) => {
        const { taken } = played(given);
        for (const [index, { turn, takenBefore }] of taken.entries())
          expect(index - takenBefore + 1).toBeGreaterThanOrEqual(turn);
      },
    ),
  );
});
