/**
 * Vectors of one frame, and which of them are nearest to another. A few are compared one by one; what is more goes into
 * a graph, where there is one, a little at a time, so that nobody waits for it to be built. It knows no texts.
 */

/** An approximate index of unit vectors. */
export interface Graph {
  add(id: number, vector: Float32Array): void;
  remove(id: number): void;
  /** The ids of those that are about the nearest, the nearest first. */
  search(vector: Float32Array, count: number): number[];
}

export interface Neighbour {
  readonly id: number;
  /** The cosine of the angle between both, from 0 to 1. */
  readonly similarity: number;
}

/** So many are compared one by one in less time than a graph needs to take one in. */
export const COMPARED_ONE_BY_ONE = 256;
/** Moved into the graph with each that comes, so that it catches up. */
const MOVED_AT_ONCE = 2;

export class Neighbours {
  private readonly vectors = new Map<number, Float32Array>();
  /** Those that are not in the graph. */
  private readonly loose = new Set<number>();
  private readonly createGraph: () => Graph | undefined;
  private graph: Graph | undefined;

  constructor(createGraph: () => Graph | undefined) {
    this.createGraph = createGraph;
  }

  get size(): number {
    return this.vectors.size;
  }

  add(id: number, vector: Float32Array): void {
    this.vectors.set(id, vector);
    this.loose.add(id);
    if (this.vectors.size > COMPARED_ONE_BY_ONE) this.graph ??= this.createGraph();
    if (this.graph) this.move(this.graph);
  }

  remove(id: number): void {
    if (!this.vectors.delete(id) || this.loose.delete(id)) return;
    this.graph?.remove(id);
  }

  /** The most similar first. */
  nearest(vector: Float32Array, count: number): Neighbour[] {
    const ids = this.graph ? [...this.loose, ...this.graph.search(vector, count)] : this.vectors.keys();
    const found: Neighbour[] = [];
    for (const id of ids) {
      const similarity = cosine(vector, this.vectors.get(id));
      if (found.length === count && similarity <= (found.at(-1)?.similarity ?? 0)) continue;
      const behind = found.findIndex((one) => one.similarity < similarity);
      found.splice(behind < 0 ? found.length : behind, 0, { id, similarity });
      if (found.length > count) found.pop();
    }
    return found;
  }

  private move(graph: Graph): void {
    let moved = 0;
    for (const id of this.loose) {
      const vector = this.vectors.get(id);
      if (vector) graph.add(id, vector);
      this.loose.delete(id);
      if (++moved === MOVED_AT_ONCE) return;
    }
  }
}

/** Of unit vectors; 0 where they do not compare. */
export function cosine(a: Float32Array, b: Float32Array | undefined): number {
  if (a.length !== b?.length) return 0;
  let [even, odd] = [0, 0];
  const last = a.length - 1;
  // Two sums, since each would wait for the one before.
  for (let at = 0; at < last; at += 2) {
    even += (a[at] as number) * (b[at] as number);
    odd += (a[at + 1] as number) * (b[at + 1] as number);
  }
  if (a.length % 2 === 1) even += (a[last] as number) * (b[last] as number);
  return Math.min(1, Math.max(0, even + odd));
}
