/** Graphs of the library usearch, where it has a build for this platform. It knows nothing of what vectors stand for. */
import { createRequire } from "node:module";
import type { Graph } from "./neighbours.ts";

/** @returns undefined where the library cannot be loaded: all vectors are compared one by one then */
export function hnswGraphs(): ((dimensions: number) => Graph) | undefined {
  const library = load();
  if (!library) return undefined;
  const { Index, MetricKind, ScalarKind } = library;
  return (dimensions) => {
    const index = new Index({
      dimensions,
      metric: MetricKind.Cos,
      quantization: ScalarKind.F32,
      connectivity: 16,
      expansion_add: 64,
      expansion_search: 64,
      multi: false,
    });
    return {
      add: (id, vector) => index.add(BigInt(id), vector, 1),
      remove: (id) => void index.remove(BigInt(id)),
      search: (vector, count) => [...index.search(vector, count, 1).keys].map(Number),
    };
  };
}

/** By `require`, since a platform without a build is no reason not to start. */
function load(): typeof import("usearch") | undefined {
  try {
    return createRequire(import.meta.url)("usearch");
  } catch {
    return undefined;
  }
}
