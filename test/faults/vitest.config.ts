/** One file at a time: each keeps providers waiting, and measures how long that takes. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/faults/*.test.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most of a fault's time goes by in waiting.
    maxConcurrency: 5,
    reporters: ["default", "./test/support/tally.ts"],
  },
});
