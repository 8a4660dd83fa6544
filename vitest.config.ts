import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";
import { COMPILE_CACHE } from "./test/support/compile-cache.ts";
import { LongestFirst } from "./test/support/longest-first.ts";

/** Suites that want the machine for themselves: each has an npm script of its own. */
const BY_THEMSELVES = [
  "test/money/**",
  "test/jobs-chaos/**",
  "test/faults/**",
  "test/usage/**",
  "test/cache/heavy*",
  "test/shaping/heavy*",
];
/** They change or measure what a whole process shares: its environment, its globals, its tracer, its timers, its heap. */
const WITH_OWN_PROCESS = [
  "test/clients/cli/terminal.test.ts",
  "test/layers/admit.test.ts",
  "test/layers/trace.test.ts",
  "test/providers/bedrock-sigv4.test.ts",
  "test/providers/vertex_ai-*.test.ts",
  "test/rpc/backpressure.test.ts",
  "test/wire/transport-abort.test.ts",
];

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: "shared",
          include: ["test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...BY_THEMSELVES, ...WITH_OWN_PROCESS],
          // To load the gateway anew for each file took half of the whole run; it has no mutable module state.
          isolate: false,
        },
      },
      { extends: true, test: { name: "alone", include: WITH_OWN_PROCESS } },
    ],
    // Much of it waits for processes and connections: of two cores a third would be idle.
    maxWorkers: Math.max(4, availableParallelism()),
    sequence: { sequencer: LongestFirst },
    // What hangs ends all the same; what waits for others' processes is late by seconds on a busy machine.
    testTimeout: 40_000,
    hookTimeout: 40_000,
    env: COMPILE_CACHE,
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
