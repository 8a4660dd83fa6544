/** `npm run test:usage`: over a smaller year, as CI has it; `-- --full` over the whole one. Names of suites choose. */
import { parseArgs } from "node:util";
import { startVitest } from "vitest/node";

const { values, positionals } = parseArgs({
  options: { full: { type: "boolean", default: false } },
  allowPositionals: true,
});
if (values.full) process.env.USAGE_ATTEMPTS = "10000000";
const vitest = await startVitest(positionals, { config: "test/usage/vitest.config.ts", run: true });
await vitest.close();
