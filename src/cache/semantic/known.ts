/**
 * Requests that were answered, by what they mean: bounded, those go first that were not asked for longest. The answers
 * are kept elsewhere, under the requests' own keys, and so are forgotten there when they are too old or unwanted.
 */
import { LRUMap, LRUMapWithDelete } from "mnemonist";
import type { Facts } from "./facts.ts";
import { type Graph, Neighbours } from "./neighbours.ts";

/** A request that was answered. */
export interface Asked {
  /** Under which its answer is kept. */
  readonly key: string;
  readonly text: string;
  /** Of length 1. */
  readonly vector: Float32Array;
  readonly facts: Facts;
}

export interface Alike extends Asked {
  readonly similarity: number;
}

/** It, among those that only the text tells apart. */
export interface Framed extends Asked {
  readonly frame: string;
}

interface Entry extends Framed {
  readonly id: number;
}

/** Enough for one that agrees to be among them, where those that are nearest do not. */
const CANDIDATES = 16;
const VECTORS = 1_000;

export class Known {
  private entries: LRUMapWithDelete<string, Entry>;
  private readonly byId = new Map<number, Entry>();
  private readonly frames = new Map<string, Neighbours>();
  /** Of the texts that came lately, so that none is paid for twice. */
  private vectors: LRUMap<string, Float32Array>;
  private readonly createGraph: ((dimensions: number) => Graph) | undefined;
  private ids = 0;

  constructor(maxEntries: number, createGraph?: (dimensions: number) => Graph) {
    this.entries = new LRUMapWithDelete(maxEntries);
    this.vectors = new LRUMap(Math.min(maxEntries, VECTORS));
    this.createGraph = createGraph;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Most that are known. */
  get maxSize(): number {
    return this.entries.capacity;
  }

  /** Holds another bound from now on, and forgets those beyond it that were not asked for longest. */
  bound(maxEntries: number): void {
    if (maxEntries === this.maxSize) return;
    const newestFirst = [...this.entries];
    for (const [, entry] of newestFirst.slice(maxEntries)) this.forget(entry);
    this.entries = new LRUMapWithDelete(maxEntries);
    for (const [key, entry] of newestFirst.slice(0, maxEntries).reverse()) this.entries.set(key, entry);
    const vectors = [...this.vectors].slice(0, maxEntries).reverse();
    this.vectors = new LRUMap(Math.min(maxEntries, VECTORS));
    for (const [key, vector] of vectors) this.vectors.set(key, vector);
  }

  /** @param key of the request with the text, as answers are kept under */
  vectorOf(key: string): Float32Array | undefined {
    return this.vectors.get(key) ?? this.entries.peek(key)?.vector;
  }

  remember(key: string, vector: Float32Array): void {
    this.vectors.set(key, vector);
  }

  /** Those of the same frame that are about the most alike, the most alike first. */
  alike(frame: string, vector: Float32Array): Alike[] {
    const neighbours = this.frames.get(frame)?.nearest(vector, CANDIDATES) ?? [];
    return neighbours.flatMap(({ id, similarity }) => {
      const entry = this.byId.get(id);
      return entry ? [{ ...entry, similarity }] : [];
    });
  }

  add(frame: string, asked: Asked): void {
    this.remove(asked.key);
    const entry = { ...asked, frame, id: this.ids++ };
    const popped = this.entries.setpop(asked.key, entry);
    if (popped?.evicted) this.forget(popped.value);
    this.byId.set(entry.id, entry);
    let neighbours = this.frames.get(frame);
    if (!neighbours) {
      neighbours = new Neighbours(() => this.createGraph?.(asked.vector.length));
      this.frames.set(frame, neighbours);
    }
    neighbours.add(entry.id, asked.vector);
  }

  /** Undefined for one that is not known. */
  find(key: string): Framed | undefined {
    return this.entries.peek(key);
  }

  /** It was asked for again. */
  touch(key: string): void {
    this.entries.get(key);
  }

  remove(key: string): void {
    const entry = this.entries.peek(key);
    if (!entry) return;
    this.entries.delete(key);
    this.forget(entry);
  }

  private forget({ id, frame }: Entry): void {
    this.byId.delete(id);
    const neighbours = this.frames.get(frame);
    neighbours?.remove(id);
    if (neighbours?.size === 0) this.frames.delete(frame);
  }
}
