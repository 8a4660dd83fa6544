/** What shapes traffic, by itself and through the gateway, the heavy ones included, one file at a time. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/shaping/**/*.test.ts"],
    fileParallelism: false,
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } },
    reporters: ["default", "./test/support/tally.ts"],
  },
});
