import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // They want the machine for themselves: npm run test:meter, test:wall, test:crash, test:jobs, test:faults,
    // test:cache, test:usage, test:shaping.
    exclude: [
      ...configDefaults.exclude,
      ...[
        "test/money/**",
        "test/jobs-chaos/**",
        "test/faults/**",
        "test/usage/**",
        "test/cache/heavy*",
        "test/shaping/heavy*",
      ],
    ],
    // Much of it waits for processes and connections: a core kept free would be idle.
    maxWorkers: "100%",
    testTimeout: 20_000,
    // What is waited for comes at once, unless the machine is busy.
    expect: { poll: { timeout: 10_000 } },
    reporters: ["default", "./test/recordings/table.ts", "./test/support/tally.ts"],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      thresholds: {
        lines: 90,
        "src/providers/**": { lines: 95 },
        "src/wire/**": { lines: 95 },
      },
      reporter: ["text-summary", "json-summary"],
    },
  },
});
