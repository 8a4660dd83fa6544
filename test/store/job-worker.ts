/** A process that takes jobs on a shared database and never ends one, until it is killed. */
import { RENEW_MS } from "../../src/core/job-store.ts";
import { openStore } from "../../src/store/store.ts";

const [databaseUrl = "", limit] = process.argv.slice(2);

const { jobs } = await openStore({ databaseUrl, dataDir: "", instance: "worker", onDeath: () => {} });
const taken = await jobs.take(Number(limit), Date.now());
const runs = taken.map(({ job }) => ({ jobId: job.jobId, run: job.runs, partial: "half" }));
setInterval(() => jobs.renew(runs, Date.now()).catch(() => {}), RENEW_MS);
process.send?.(runs.length);
