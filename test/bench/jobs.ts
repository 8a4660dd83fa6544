/**
 * What jobs cost: how long a submission takes, and how many jobs a second go through the queue, as ratios to the bare
 * queue of the same database in rounds that alternate. No job is run.
 */
import { hasPostgres } from "../support/postgres.ts";
import { onPostgres, onSqlite, type Pair, type Queue } from "./queues.ts";

interface Sample {
  readonly p99Ms: number;
  readonly jobsPerSecond: number;
}

const ROUNDS = 7;
const JOBS = 2_000;
/** Submissions under way at a time. */
const CALLERS = 20;
/** Jobs taken at a time, as a gateway runs them by default. */
const TAKEN = 50;

export async function benchJobs(): Promise<void> {
  process.stdout.write(
    "\n| jobs on | p99 of a submission | ratio | jobs a second | ratio |\n|---|---|---|---|---|\n",
  );
  await printPair(await onSqlite());
  if (hasPostgres("what jobs cost on PostgreSQL")) await printPair(await onPostgres());
}

async function printPair(pair: Pair): Promise<void> {
  const { ours, bare } = pair;
  const samples = new Map<Queue, Sample[]>([
    [bare, []],
    [ours, []],
  ]);
  // What is compiled late would be charged to whoever comes first.
  for (const queue of samples.keys()) await sampleOf(queue);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [queue, those] of samples) those.push(await sampleOf(queue));
  }
  await pair.close();
  const of = (queue: Queue) => {
    const those = samples.get(queue) ?? [];
    return {
      p99Ms: medianOf(those.map(({ p99Ms }) => p99Ms)),
      jobsPerSecond: medianOf(those.map(({ jobsPerSecond }) => jobsPerSecond)),
    };
  };
  const base = of(bare);
  for (const queue of samples.keys()) {
    const { p99Ms, jobsPerSecond } = of(queue);
    const cells = [
      queue.name,
      `${p99Ms.toFixed(1)} ms`,
      `${(p99Ms / base.p99Ms).toFixed(2)} bare`,
      jobsPerSecond.toFixed(0),
      `${(jobsPerSecond / base.jobsPerSecond).toFixed(2)} bare`,
    ];
    process.stdout.write(`| ${cells.join(" | ")} |\n`);
  }
}

async function sampleOf(queue: Queue): Promise<Sample> {
  const startedAtMs = performance.now();
  const latencies: number[] = [];
  const caller = async () => {
    for (let job = 0; job < JOBS / CALLERS; job++) {
      const beganMs = performance.now();
      await queue.submit();
      latencies.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  for (let drained = 0; drained < JOBS; ) {
    const some = await queue.drain(TAKEN);
    if (some === 0) throw new Error(`${JOBS - drained} jobs were not there to take`);
    drained += some;
  }
  const sorted = latencies.sort((a, b) => a - b);
  return {
    p99Ms: sorted[Math.floor(0.99 * sorted.length)] ?? Number.NaN,
    jobsPerSecond: (1_000 * JOBS) / (performance.now() - startedAtMs),
  };
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
