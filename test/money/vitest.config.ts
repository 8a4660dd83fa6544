/** One file at a time: each of them loads the machine as far as it goes. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/money/*.test.ts"],
    fileParallelism: false,
    testTimeout: 20_000,
    reporters: ["default", "./test/support/tally.ts"],
  },
});
