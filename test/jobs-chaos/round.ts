/** One round of jobs under chaos, from the first submission to what all books say of it in the end. */
import { setTimeout as wait } from "node:timers/promises";
import { expect } from "vitest";
import type { Job } from "../../gen/ts/llmgateway/v1/job_pb.ts";
import { mulberry32, type Random } from "../../src/emulator/random.ts";
import type { Exchange } from "../money/exchanges.ts";
import { startEmulatorProcess } from "../money/rig.ts";
import { type Rows, rowsOfTables } from "../money/rows.ts";
import { CALLERS } from "../support/callers.ts";
import { samplesOf } from "../support/exposition.ts";
import { Home } from "../support/home.ts";
import { SECRET } from "../support/receiver.ts";
import { Fleet } from "./fleet.ts";
import { type Hook, startHooks } from "./hooks.ts";
import type { Place } from "./places.ts";
import { type Submission, submissionsOf } from "./plans.ts";
import { Submitter } from "./submit.ts";

export interface RoundSize {
  readonly jobs: number;
  /** Submitted in a second. */
  readonly jobsPerSecond: number;
  /** At most; the killing ends with the last job. */
  readonly kills: number;
  /** Of the database's server, where it has one. */
  readonly restarts: number;
  /** So many of each webhook may fail, while there is killing. */
  readonly failingTries: number;
  /** For what is left when the killing has ended. */
  readonly patienceMs: number;
}

export interface Played {
  readonly submissions: readonly Submission[];
  /** The job's or batch's id of each submission, by its key. */
  readonly ids: ReadonlyMap<string, string>;
  /** At the end, by a gateway that was started for it. */
  readonly jobs: readonly Job[];
  /** Of jobs that lost any, by their ids. */
  readonly lostRuns: ReadonlyMap<string, number>;
  /** Jobs that were seen to leave a final state. */
  readonly revived: readonly string[];
  readonly hooks: ReadonlyMap<string, Hook>;
  readonly wrongHooks: readonly string[];
  readonly exchanges: readonly Exchange[];
  readonly rows: Rows;
  readonly spentPicoUsd: bigint;
  readonly isSound: boolean;
  readonly figures: Figures;
}

export interface Figures {
  readonly runs: number;
  readonly lostRuns: number;
  readonly webhooks: number;
  readonly tries: number;
  readonly kills: number;
  readonly restarts: number;
  readonly repeated: number;
  readonly seconds: number;
}

/** A hundred tokens a second, as quick models write. */
const PACE_MS = 10;
/** Of requests to providers that get a fault. */
const CHAOS = 0.2;
const KILL_EVERY_MS = { least: 1_500, most: 4_000 };
const LOOK_EVERY_MS = 2_000;

export async function playRound(place: Place, size: RoundSize, seed: number): Promise<Played> {
  const startedAtMs = Date.now();
  const random = mulberry32(seed);
  await using emulator = await startEmulatorProcess({ chaos: CHAOS, "pace-ms": PACE_MS, seed });
  await using hooks = await startHooks(mulberry32(seed + 1), size.failingTries);
  using home = new Home(emulator.url);
  const env = { ...place.env, LLMGATEWAY_WEBHOOK_SECRET: SECRET };
  const start = () => home.start(CONFIG, env);
  await using fleet = await Fleet.open(place.gateways, start, random);
  const submitter = new Submitter(() => fleet.url, hooks.url);
  const submissions = submissionsOf(seed, size.jobs);
  const ids = new Map<string, string>();
  const seen = new Seen();

  await using chaos = wreak(fleet, place, size, random);
  await submitAll(submitter, submissions, size.jobsPerSecond, ids);
  const open = async () => {
    const jobs = await submitter.list();
    seen.look(jobs);
    return jobs.some(({ status }) => !isFinal(status));
  };
  await until(async () => chaos.isOver || !(await open()), size.patienceMs);
  await chaos.end();
  hooks.heal();
  const expected = [...ids.values()];
  await until(
    async () => !(await open()) && expected.every((id) => hooks.byId.get(id)?.taken),
    size.patienceMs,
  );

  expect(await fleet.stop()).toEqual(Array.from({ length: place.gateways }, () => 0));
  await using last = await Fleet.open(1, start, random);
  const reader = new Submitter(() => last.url, hooks.url);
  const jobs = await reader.list();
  seen.look(jobs);
  const spentPicoUsd = await spentOf(last.url ?? "");
  expect(await last.stop()).toEqual([0]);
  const query = (text: string) => place.query(home, text);
  const lost = await query("select job_id, lost_runs from jobs where lost_runs > 0");
  const lostRuns = new Map(lost.map((row) => [String(row.job_id), Number(row.lost_runs)]));
  return {
    submissions,
    ids,
    jobs,
    lostRuns,
    revived: seen.revived,
    hooks: hooks.byId,
    wrongHooks: hooks.wrong,
    exchanges: await emulator.exchanges(),
    rows: rowsOfTables(await query("select * from attempts"), await query("select * from calls")),
    spentPicoUsd,
    isSound: place.isSound(home),
    figures: {
      runs: jobs.reduce((sum, { runs }) => sum + runs, 0),
      lostRuns: lostRuns.values().reduce((sum, runs) => sum + runs, 0),
      webhooks: hooks.byId.size,
      tries: hooks.tries,
      kills: chaos.kills,
      restarts: chaos.restarts,
      repeated: submitter.repeated,
      seconds: (Date.now() - startedAtMs) / 1_000,
    },
  };
}

const CONFIG = {
  budgets: [{ name: "all", limit_usd: 1_000_000, per: "month" }],
  jobs: {
    max_concurrent: 50,
    webhooks: {
      allowed_hosts: ["127.0.0.1:*"],
      allowed_networks: ["127.0.0.0/8"],
      allow_http: true,
      timeout: "2s",
    },
  },
};

class Seen {
  readonly revived: string[] = [];
  private readonly ends = new Map<string, string>();

  look(jobs: readonly Job[]): void {
    for (const { jobId, status } of jobs) {
      const end = this.ends.get(jobId);
      if (end && end !== status) this.revived.push(`${jobId} was ${end}, and is ${status}`);
      if (isFinal(status)) this.ends.set(jobId, status);
    }
  }
}

export function isFinal(status: string): boolean {
  return status !== "pending" && status !== "running";
}

interface Chaos extends AsyncDisposable {
  readonly isOver: boolean;
  readonly kills: number;
  readonly restarts: number;
  /** Resolves when what was killed last is up again. */
  end(): Promise<void>;
}

/** Kills gateways, and in between restarts what they keep their jobs in, until there have been enough or it is ended. */
function wreak(fleet: Fleet, { restart }: Place, size: RoundSize, random: Random): Chaos {
  const over = new AbortController();
  const { least, most } = KILL_EVERY_MS;
  const pause = () =>
    wait(least + (most - least) * random(), undefined, { signal: over.signal }).catch(() => {});
  const figures = { isOver: false, kills: 0, restarts: 0 };
  const go = async () => {
    for (await pause(); figures.kills < size.kills && !over.signal.aborted; await pause()) {
      await fleet.kill();
      figures.kills++;
      if (!restart || figures.restarts === size.restarts || figures.kills % 2 !== 0) continue;
      await restart();
      figures.restarts++;
    }
    figures.isOver = true;
  };
  const ended = go();
  const end = () => {
    over.abort();
    return ended;
  };
  return Object.assign(figures, { end, [Symbol.asyncDispose]: end });
}

/** Resolves when all are submitted, and those cancelled that are to be. */
async function submitAll(
  submitter: Submitter,
  submissions: readonly Submission[],
  jobsPerSecond: number,
  ids: Map<string, string>,
): Promise<void> {
  const underWay: Promise<void>[] = [];
  const one = async (submission: Submission) => {
    const id = await submitter.submit(submission);
    ids.set(submission.key, id);
    if (submission.cancelledAfterMs === undefined) return;
    await wait(submission.cancelledAfterMs);
    await submitter.cancel(submission, id);
  };
  for (const submission of submissions) {
    underWay.push(one(submission));
    await wait((1_000 * submission.chats.length) / jobsPerSecond);
  }
  await Promise.all(underWay);
}

/** Gives up without a word: what is missing then, the books tell. */
async function until(isSo: () => Promise<boolean>, withinMs: number): Promise<void> {
  for (const endMs = Date.now() + withinMs; Date.now() < endMs && !(await isSo()); )
    await wait(LOOK_EVERY_MS);
}

/** A budget is counted from its first call on, and begins with what is booked. Chaos spares who directs it. */
async function spentOf(url: string): Promise<bigint> {
  const messages = [{ role: "user", content: "[[emulate: tokens=5 mark=last]] Who is there?" }];
  await CALLERS[0]?.at(url).chat({ model: "openai/gpt-4o-mini", messages, metadata: { mark: "last" } });
  const metrics = await (await fetch(`${url}/v1/gateway/metrics`)).text();
  return BigInt(Math.round((Object.values(samplesOf(metrics, "llm_budget_spent_usd"))[0] ?? 0) * 1e12));
}
