/** The cache by itself and through the gateway, the heavy ones included, one file at a time: some measure the machine. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/cache/**/*.test.ts"],
    fileParallelism: false,
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } },
    reporters: ["default", "./test/support/tally.ts"],
  },
});
