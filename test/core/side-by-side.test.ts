import { expect, test } from "vitest";
import { sideBySide, type Told } from "../../src/core/side-by-side.ts";

/** Gives what it is told to, and counts what was taken. */
function source<T>(items: readonly T[]) {
  const state = { taken: 0, isOver: false };
  async function* give() {
    try {
      for (const item of items) {
        state.taken++;
        yield item;
      }
    } finally {
      state.isOver = true;
    }
  }
  return Object.assign(give(), { state });
}

const itemOf = <T>(told: Told<T>) => (told.kind === "item" ? told.item : told.kind);

test("none that is always ready holds back another", async () => {
  const told: unknown[] = [];
  for await (const one of sideBySide([source(["a", "b", "c"]), source(["1", "2", "3"])], () => {}))
    told.push(itemOf(one));
  expect(told).toEqual(["a", "1", "b", "2", "c", "3", "ended", "ended"]);
});

test("nothing is read of any while nothing is taken, beyond one item each", async () => {
  const sources = [source(Array(100).fill("a")), source(Array(100).fill("b"))];
  const reading = sideBySide(sources, () => {});
  await reading.next();
  await new Promise((resolve) => setImmediate(resolve));
  expect(sources.map(({ state }) => state.taken)).toEqual([1, 1]);
  await reading.return(undefined);
  expect(sources.map(({ state }) => state.isOver)).toEqual([true, true]);
});

test("one that fails ends none of the others", async () => {
  async function* failing(): AsyncGenerator<string> {
    yield "first";
    throw new Error("broken");
  }
  const told = await Array.fromAsync(sideBySide([failing(), source(["a", "b", "c"])], () => {}));
  expect(told.map(itemOf)).toEqual(["first", "a", "failed", "b", "c", "ended"]);
});

test("who reads no further has what is waited for ended, and only then", async () => {
  const { promise, reject } = Promise.withResolvers<never>();
  async function* waiting(): AsyncGenerator<string> {
    yield await promise;
  }
  let left = 0;
  const leave = () => {
    left++;
    reject(new Error("left"));
  };
  const reading = sideBySide([waiting(), source(["a"])], leave);
  expect(itemOf((await reading.next()).value as Told<string>)).toBe("a");
  await reading.return(undefined);
  expect(left).toBe(1);
  await Array.fromAsync(sideBySide([source(["a"])], leave));
  expect(left).toBe(1);
});
