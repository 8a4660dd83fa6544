/** Rounds of jobs under chaos, each as long as it takes. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/jobs-chaos/*.test.ts"],
    fileParallelism: false,
    reporters: ["default", "./test/support/tally.ts"],
  },
});
