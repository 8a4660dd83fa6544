/** What is nearest to a vector: exactly while they are few, and by a graph beyond. */
import { describe, expect, it } from "vitest";
import { factsOf } from "../../../src/cache/semantic/facts.ts";
import { hnswGraphs } from "../../../src/cache/semantic/hnsw.ts";
import { Known } from "../../../src/cache/semantic/known.ts";
import { COMPARED_ONE_BY_ONE, cosine, Neighbours } from "../../../src/cache/semantic/neighbours.ts";

const DIMENSIONS = 32;
const createGraph = hnswGraphs();

/** The same for the same number. */
function vector(number: number, dimensions = DIMENSIONS): Float32Array {
  let seed = number * 2_654_435_761 + 1;
  const values = Float32Array.from({ length: dimensions }, () => {
    seed = (Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return seed / 2 ** 31 - 1;
  });
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

function exact(among: readonly number[], to: Float32Array, count: number): number[] {
  const near = among.map((id) => ({ id, similarity: cosine(to, vector(id)) }));
  return near
    .sort((a, b) => b.similarity - a.similarity)
    .slice(0, count)
    .map(({ id }) => id);
}

describe("neighbours", () => {
  it("are the nearest, the nearest first, without those that were removed", () => {
    const neighbours = new Neighbours(() => undefined);
    const ids = Array.from({ length: 50 }, (_, id) => id);
    for (const id of ids) neighbours.add(id, vector(id));
    neighbours.remove(7);
    const left = ids.filter((id) => id !== 7);
    const found = neighbours.nearest(vector(1_000), 5);
    expect(found.map(({ id }) => id)).toEqual(exact(left, vector(1_000), 5));
    expect(found[0]?.similarity).toBeCloseTo(cosine(vector(1_000), vector(found[0]?.id ?? 0)));
    expect(neighbours.nearest(vector(7), 5).map(({ id }) => id)).not.toContain(7);
  });

  it("of many are found by the graph, nearly all of them", () => {
    expect(createGraph, "usearch has no build for this platform").toBeDefined();
    let created = 0;
    const neighbours = new Neighbours(() => {
      created++;
      return createGraph?.(DIMENSIONS);
    });
    const ids = Array.from({ length: 8 * COMPARED_ONE_BY_ONE }, (_, id) => id);
    for (const id of ids) neighbours.add(id, vector(id));
    expect(created).toBe(1);
    for (let id = 0; id < 100; id++) neighbours.remove(id);
    const left = ids.slice(100);
    let found = 0;
    for (let query = 0; query < 20; query++) {
      const to = vector(50_000 + query);
      const nearest = exact(left, to, 10);
      const ids = neighbours.nearest(to, 10).map(({ id }) => id);
      expect(ids.every((id) => id >= 100)).toBe(true);
      found += nearest.filter((id) => ids.includes(id)).length;
    }
    expect(found / 200).toBeGreaterThan(0.9);
    expect(neighbours.nearest(vector(1_500), 1)[0]).toMatchObject({ id: 1_500 });
  });

  it("of other dimensions are never alike", () => {
    const neighbours = new Neighbours(() => undefined);
    neighbours.add(1, vector(1, 16));
    expect(neighbours.nearest(vector(1), 1)).toMatchObject([{ similarity: 0 }]);
  });
});

describe("what is known", () => {
  const asked = (number: number) => ({
    key: `key-${number}`,
    text: "",
    vector: vector(number),
    facts: factsOf(""),
  });
  const keys = (known: Known, frame: string, number: number) =>
    known.alike(frame, vector(number)).map(({ key }) => key);

  it("is bounded: what was not asked for longest goes first", () => {
    const known = new Known(3);
    for (const number of [1, 2, 3]) known.add("frame", asked(number));
    known.touch("key-1");
    known.add("frame", asked(4));
    expect(known.size).toBe(3);
    expect(new Set(keys(known, "frame", 2))).toEqual(new Set(["key-1", "key-3", "key-4"]));
  });

  it("holds another bound from when it is given, and forgets what was not asked for longest", () => {
    const known = new Known(3);
    for (const number of [1, 2, 3]) known.add("frame", asked(number));
    known.touch("key-1");
    known.bound(2);
    expect([known.size, known.maxSize]).toEqual([2, 2]);
    expect(new Set(keys(known, "frame", 2))).toEqual(new Set(["key-1", "key-3"]));
    known.bound(3);
    known.add("frame", asked(4));
    known.add("frame", asked(5));
    expect(new Set(keys(known, "frame", 2))).toEqual(new Set(["key-1", "key-4", "key-5"]));
  });

  it("is of its frame alone", () => {
    const known = new Known(10);
    known.add("one", asked(1));
    known.add("other", asked(2));
    expect(keys(known, "one", 2)).toEqual(["key-1"]);
    known.remove("key-1");
    expect(keys(known, "one", 2)).toEqual([]);
    expect(known.size).toBe(1);
  });

  it("is there once, when it is asked again", () => {
    const known = new Known(10);
    known.add("frame", asked(1));
    known.add("frame", asked(1));
    expect(keys(known, "frame", 1)).toEqual(["key-1"]);
  });
});
