/** `npm run test:jobs`: a small round on each store, as CI plays it; `--full` plays the whole one. */
import { parseArgs } from "node:util";
import { startVitest } from "vitest/node";

const { values } = parseArgs({ options: { full: { type: "boolean", default: false } } });
if (values.full) process.env.JOBS_ROUND = "full";
const vitest = await startVitest([], { config: "test/jobs-chaos/vitest.config.ts", run: true });
await vitest.close();
