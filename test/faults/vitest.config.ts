/** The state machines on a clock that is moved by hand, and the faults on real sockets, one file at a time: they keep
 * providers waiting, and measure how long that takes. */
import { defineConfig } from "vitest/config";

const LAYERS = ["breaker", "fallback", "guard", "hedge", "limit", "retry", "timeout"];

export default defineConfig({
  test: {
    include: [
      "test/resilience/*.test.ts",
      ...LAYERS.map((name) => `test/layers/${name}*.test.ts`),
      "test/faults/*.test.ts",
    ],
    fileParallelism: false,
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most of a fault's time goes by in waiting.
    maxConcurrency: 5,
    reporters: ["default", "./test/support/tally.ts"],
  },
});
