/**
 * Jobs and batches in PostgreSQL: records in tables of its own, each with a message in the queue, which change
 * together or not at all. How a message gets to who runs the job it does not know.
 */
import { randomUUIDv7 } from "node:crypto";
import type { PoolClient, QueryResultRow } from "pg";
import type {
  JobStore,
  NewJob,
  Owner,
  Repeated,
  Submission,
  SubmissionKey,
  Submitted,
  TakenJob,
} from "../../core/job-store.ts";
import type { PicoUsd } from "../../core/money.ts";
import * as rows from "../job-rows.ts";
import { storable, textOf } from "../rows.ts";
import type { Postgres } from "./connection.ts";
import { endJobs, type HeldJob } from "./job-ends.ts";
import { readJobs } from "./job-reads.ts";
import * as statements from "./job-statements.ts";
import type { Message, Queue } from "./queue.ts";
import { Room } from "./room.ts";

/** Any number that nobody else locks. */
const EXPIRY_KEY = "7063041298533";
/** As many requests as this go to the database at once, or one. */
const CHUNK_BYTES = 4 * 1024 * 1024;

export function jobsOn(postgres: Postgres, queue: Queue, instance: string): JobStore {
  const { transaction } = postgres;
  const room = new Room(async () => {
    const { rows: counts } = await transaction((client) => client.query(statements.STORED));
    return { pending: Number(counts[0]?.pending), stored: Number(counts[0]?.stored) };
  });
  /** What `act` does to a run of ours, if it still is. */
  const ofOurs = (
    { jobId, run }: { jobId: string; run: number },
    act: (client: PoolClient, job: HeldJob) => Promise<void>,
  ) =>
    transaction(async (client) => {
      const { rows: held } = await client.query<HeldJob>(statements.HOLD, [jobId, run, instance]);
      if (held[0]) await act(client, held[0]);
      return held.length === 1;
    });

  return {
    ...readJobs(postgres),
    async submit(submission) {
      // The same with each try, as it must not be stored twice.
      const messageIds = submission.jobs.map(() => randomUUIDv7());
      const known = await transaction((client) => repeated(client, submission.jobs[0], submission));
      if (known) return known;
      const stored = await room.take(submission.jobs.length, submission, () =>
        transaction((client) => store(client, queue, submission, messageIds)),
      );
      if (stored === "maxPending") return { outcome: "full", limit: "max_pending" };
      return stored === "maxStored" ? { outcome: "full", limit: "max_stored" } : stored;
    },
    submitted: (owner, key) => transaction((client) => repeated(client, owner, key)),
    async take(limit, nowMs) {
      if (limit < 1) return [];
      return transaction(async (client) => {
        const messages = await queue.claim(client, limit);
        if (messages.length === 0) return [];
        const ids = messages.map(({ jobId }) => jobId);
        const { rows: taken } = await client.query(statements.TAKE, [ids, nowMs, instance]);
        if (taken.length < ids.length) await dropStale(client, queue, messages);
        return taken.map(takenJobOf).sort(byTurn);
      });
    },
    async renew(runs) {
      if (runs.length === 0) return [];
      const keys = runs.map(({ jobId, run }) => [jobId, run]);
      const said = runs.filter(({ partial }) => partial !== undefined);
      const ours = await transaction(async (client) => {
        const { rows: held } = await client.query(statements.RENEW, [textOf(keys), instance]);
        const known = new Map(held.map((job) => [`${job.runs} ${job.job_id}`, job]));
        const partials = said.filter(({ jobId, run }) => known.has(`${run} ${jobId}`));
        const texts = partials.map(({ jobId, partial }) => [jobId, partial]);
        if (texts.length > 0) await client.query(statements.SAY, [textOf(texts)]);
        const messageIds = held.map((job) => job.message_id);
        if (messageIds.length > 0) await queue.keep(client, messageIds);
        return known;
      });
      return runs.map(({ jobId, run }) => {
        const job = ours.get(`${run} ${jobId}`);
        const order = job ? (job.cancel_requested ? "cancel" : "go on") : "lost";
        return { jobId, run, order };
      });
    },
    async park({ jobId, run }, parked) {
      const values = [jobId, run, instance, storable(parked)];
      return (await transaction((client) => client.query(statements.PARK, values))).rowCount === 1;
    },
    retry: (run, dueAtMs, failure, { costPicoUsd }) =>
      ofOurs(run, async (client, job) => {
        const cost = rows.costWith(job.cost_pico_usd, costPicoUsd);
        await client.query(statements.RETRY, [run.jobId, dueAtMs, rows.failureText(failure), cost]);
        // Whoever has it next only ends it, and need not wait for that.
        await queue.giveBack(client, job.message_id, job.cancel_requested ? 0 : dueAtMs);
      }),
    handBack: (run, nowMs, dueAtMs, { costPicoUsd }, failure) =>
      ofOurs(run, async (client, job) => {
        const cost = rows.costWith(job.cost_pico_usd, costPicoUsd);
        const due = rows.dueAgain(job, nowMs, dueAtMs, failure);
        const values = [run.jobId, due, cost, nowMs, rows.failureText(failure)];
        await client.query(statements.HAND_BACK, values);
        await queue.giveBack(client, job.message_id, due);
      }),
    finish: (run, ending) =>
      ofOurs(run, async (client, job) => {
        await endJobs(client, queue, [job], ending);
        if (ending.result)
          await client.query(statements.INSERT_RESULT, [run.jobId, Buffer.from(ending.result)]);
      }),
    async cancel(target, { tenant, principal }, nowMs) {
      const [column, id] =
        "jobId" in target ? ["job_id" as const, target.jobId] : ["batch_id" as const, target.batchId];
      const values = [storable(id), tenant, principal];
      const found = await transaction((client) =>
        client.query(column === "job_id" ? statements.JOB : statements.CANCEL_BATCH, values),
      );
      if (found.rowCount === 0) return false;
      const some = () =>
        transaction(async (client) => {
          const { rows: held } = await client.query<HeldJob>(statements.HOLD_TO_CANCEL(column), values);
          const { waiting = [], others = [] } = Object.groupBy(held, (job) =>
            rows.isIdle(job) ? "waiting" : "others",
          );
          await endJobs(client, queue, waiting, withoutRun("cancelled", nowMs));
          if (others.length === 0) return held.length;
          await client.query(statements.REQUEST_CANCEL, [others.map((job) => job.job_id), nowMs]);
          await queue.hasten(
            client,
            others.map((job) => job.message_id),
          );
          return held.length;
        });
      while ((await some()) === statements.CHUNK_JOBS);
      return true;
    },
    async expire(nowMs) {
      const some = () =>
        transaction(async (client) => {
          const { rows: lock } = await client.query("SELECT pg_try_advisory_xact_lock($1) AS held", [
            EXPIRY_KEY,
          ]);
          if (!lock[0]?.held) return 0;
          const { rows: held } = await client.query<HeldJob>(statements.HOLD_TO_EXPIRE, [nowMs]);
          await endJobs(client, queue, held, withoutRun("expired", nowMs));
          return held.length;
        });
      let expired = 0;
      for (let more = await some(); more > 0; more = await some()) expired += more;
      return expired;
    },
    async purge(endedBeforeMs, forgetBeforeMs) {
      const purged = () => transaction((client) => client.query(statements.PURGE, [endedBeforeMs]));
      while ((await purged()).rowCount === statements.CHUNK_JOBS);
      while ((await transaction((client) => forget(client, forgetBeforeMs))) === statements.CHUNK_JOBS);
    },
  };
}

/** What the key stands for already. */
async function repeated(
  client: PoolClient,
  owner: Owner | undefined,
  { idempotencyKey, fingerprint }: SubmissionKey,
): Promise<Repeated | undefined> {
  if (!owner || idempotencyKey === "") return undefined;
  const key = [storable(owner.tenant), storable(owner.principal), storable(idempotencyKey)];
  const { rows: keys } = await client.query(statements.KEY, key);
  if (!keys[0]) return undefined;
  return { outcome: "repeated", id: keys[0].id, same: keys[0].fingerprint === storable(fingerprint) };
}

async function store(
  client: PoolClient,
  queue: Queue,
  submission: Submission,
  messageIds: readonly string[],
): Promise<Submitted> {
  const { batch, jobs, idempotencyKey, fingerprint } = submission;
  const [first] = jobs;
  if (idempotencyKey !== "" && first) {
    const id = batch?.batchId ?? first.jobId;
    const key = [first.tenant, first.principal, storable(idempotencyKey), storable(fingerprint), id];
    const { rowCount } = await client.query(statements.INSERT_KEY, key);
    const other = rowCount === 0 ? await repeated(client, first, submission) : undefined;
    // It may be this very submission, whose commit was not heard of.
    if (other) return other.id === id ? { outcome: "stored" } : other;
  }
  if (batch) await client.query(statements.INSERT_BATCH, [textOf([rows.batchRow(batch, jobs.length)])]);
  const drafts = jobs.map((job, index) => [...rows.draftRow(job), messageIds[index] ?? ""]);
  const { rowCount } = await client.query(statements.INSERT_JOBS, [textOf(drafts)]);
  if (rowCount === 0) return { outcome: "stored" };
  for (const chunk of chunksOf(jobs)) {
    const bodies = chunk.map(({ request }) => Buffer.from(request));
    await client.query(statements.INSERT_REQUESTS, [chunk.map(({ jobId }) => jobId), bodies]);
  }
  const messages = jobs.map((job, index) => ({ ...job, messageId: messageIds[index] ?? "" }));
  await queue.send(client, messages.toSorted(byTime));
  return { outcome: "stored" };
}

function* chunksOf(jobs: readonly NewJob[]): Generator<readonly NewJob[]> {
  for (let start = 0; start < jobs.length; ) {
    let end = start;
    for (let bytes = 0; end < jobs.length && (end === start || bytes < CHUNK_BYTES); end++) {
      bytes += jobs[end]?.request.length ?? 0;
    }
    yield jobs.slice(start, end);
    start = end;
  }
}

/** A commit that was not heard of can leave a message whose job has ended since. */
async function dropStale(client: PoolClient, queue: Queue, messages: readonly Message[]): Promise<void> {
  const ids = messages.map(({ jobId }) => jobId);
  const { rows: open } = await client.query(statements.OPEN_ONES, [ids]);
  const kept = new Set(open.map((job) => job.job_id));
  const stale = messages.filter(({ jobId }) => !kept.has(jobId));
  if (stale.length > 0)
    await queue.drop(
      client,
      stale.map(({ messageId }) => messageId),
    );
}

async function forget(client: PoolClient, forgetBeforeMs: number): Promise<number> {
  const { rows: jobs } = await client.query(statements.FORGET, [forgetBeforeMs]);
  const batchIds = [...new Set(jobs.map((job) => job.batch_id))];
  const { rows: batches } = await client.query(statements.FORGET_BATCHES, [batchIds]);
  const ids = [...jobs.map((job) => job.job_id), ...batches.map((batch) => batch.batch_id)];
  await client.query(statements.FORGET_REST, [ids]);
  return jobs.length;
}

function withoutRun(state: "cancelled" | "expired", atMs: number) {
  return { state, atMs, failure: undefined, result: undefined, costPicoUsd: 0n as PicoUsd };
}

function takenJobOf(row: QueryResultRow): TakenJob {
  return {
    job: rows.recordOf(row),
    request: new Uint8Array(row.request ?? []),
    parked: row.parked ?? undefined,
  };
}

function byTurn({ job: a }: TakenJob, { job: b }: TakenJob): number {
  return b.priority - a.priority || byTime(a, b);
}

function byTime(a: { dueAtMs: number; jobId: string }, b: { dueAtMs: number; jobId: string }): number {
  return a.dueAtMs - b.dueAtMs || (a.jobId < b.jobId ? -1 : 1);
}
