import { defineConfig } from "vitest/config";

/** What is measured here wants the machine for itself: `npm run test:usage`. */
export default defineConfig({
  test: {
    include: ["test/usage/**/*.test.ts", "test/store/usage.test.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ["default", "./test/support/tally.ts"],
  },
});
