/** A million distinct answers through a memory that has room for a few: measured on the real heap, in its own process. */
import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import type { Filled } from "./fill.ts";

function fill(shape: string): Filled {
  const script = new URL("fill.ts", import.meta.url).pathname;
  return JSON.parse(execFileSync(process.execPath, ["--expose-gc", script, shape], { encoding: "utf8" }));
}

it.each(["small", "mixed", "foreign", "events"])(
  "stays inside its bounds, answers being %s",
  { timeout: 300_000 },
  (shape) => {
    const { count, kept, maxBytes, maxEntries, peaks, nanosFirst, nanosLast } = fill(shape);
    expect(kept).toBe(count);
    for (const { heapBytes, bytes, entries } of peaks) {
      expect(entries).toBeLessThanOrEqual(maxEntries);
      expect(bytes).toBeLessThanOrEqual(maxBytes);
      // Of the heap beside it, a little moves.
      expect(heapBytes).toBeLessThanOrEqual(maxBytes + 2_000_000);
      // The estimate is no excuse for keeping little.
      expect(heapBytes).toBeGreaterThan(bytes * 0.4);
    }
    // What one costs does not grow with how many there were.
    expect(nanosLast).toBeLessThan(nanosFirst * 5);
  },
);
