/** Runs of jobs through the whole gateway: made again, cancelled, handed back and lost, and what each of them cost. */
import { join } from "node:path";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hastened, noon } from "../support/clock.ts";
import { type Configuration, type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { endOf, jobsAt, refusalOf } from "../support/job-callers.ts";
import { startProcess } from "../support/process.ts";
import { SECRET, startReceiver } from "../support/receiver.ts";
import { rowsOf, temporaryFolder } from "../support/stores.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

const SURROUNDINGS = { clock: hastened(10), env: { LLMGATEWAY_WEBHOOK_SECRET: SECRET } };
const SOON_MS = 3_000;

let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream();
});
afterAll(() => upstream[Symbol.asyncDispose]());

function start(given: Configuration = {}): Promise<GatewayUnderTest> {
  const held = { kind: "openai_compatible", base_url: upstream.url, prices: "openai" };
  return startBoth({ providers: { held }, ...given }, SURROUNDINGS);
}

const ASK = { messages: [{ role: "user", content: "Tell me all of it" }], model: "held/gpt-4o" };

/** Every attempt that the ledger has, in order. */
function bookedIn(dataDir: string) {
  const file = join(dataDir, "llmgateway.db");
  return rowsOf(
    file,
    "SELECT state, outcome, failure_kind, cost_pico_usd AS cost FROM attempts ORDER BY started_at_ms",
  );
}

function costOf(rows: ReturnType<typeof bookedIn>): bigint {
  return rows.reduce((sum, { cost }) => sum + (cost as bigint), 0n);
}

describe("a run that fails", () => {
  test("is made again until one is answered, and the job costs what all of them did", async () => {
    await using both = await start();
    const client = jobsAt(both.url);
    const { jobId } = await client.submitJob(ASK);
    const unwell = await upstream.next();
    unwell.response.writeHead(500, { "content-type": "application/json" }).end("{}");
    const cut = await upstream.next();
    cut.say("Once");
    await expect.poll(async () => (await client.getJob({ jobId })).status).toBe("running");
    cut.response.destroy();
    const answered = await upstream.next();
    answered.say("Twice");
    answered.end();
    const job = await endOf(client, { jobId });
    expect(job).toMatchObject({ status: "completed", runs: 3 });
    const { response, attempts } = await client.getJobResult({ jobId });
    expect(response).toBe("Twice");
    expect(attempts).toHaveLength(1);
    const { dataDir } = both.gateway.config.ledger;
    await both.gateway.close();
    const booked = bookedIn(dataDir);
    expect(booked).toMatchObject([
      { outcome: "failed", failure_kind: "provider_error", cost: 0n },
      { outcome: "failed", failure_kind: "cut" },
      { outcome: "ok" },
    ]);
    expect(booked[1]?.cost).toBeGreaterThan(0n);
    expect(job.costPicoUsd).toBe(costOf(booked));
  });

  test("is made no more often than is allowed, and not again where that would not help", async () => {
    await using both = await start({ jobs: { max_runs: 2 } });
    const client = jobsAt(both.url);
    const emulated = async (directive: string) => {
      const messages = [{ role: "user", content: `[[emulate: ${directive}]] Hello` }];
      const job = await endOf(client, await client.submitJob({ messages, model: "openai/gpt-4o" }));
      const { status, runs, failure } = job;
      return { status, runs, kind: failure?.kind, retryable: failure?.retryable };
    };
    const failed = { status: "failed", retryable: false };
    expect(await emulated("status=500")).toEqual({ ...failed, runs: 2, kind: "provider_error" });
    expect(await emulated("status=401")).toEqual({ ...failed, runs: 1, kind: "provider_auth" });
    expect(both.emulator.meter.requests).toHaveLength(3);
  });
});

test("a batch that its provider ends unfinished keeps nobody from being answered now", async () => {
  const resilience = { retries: { max: 0 } };
  await using both = await startBoth({ resilience }, { ...SURROUNDINGS, emulator: { batchWindowMs: 100 } });
  const client = jobsAt(both.url);
  const parameters = { serviceTier: "batch" };
  const messages = [{ role: "user", content: "[[emulate: hang=1]] Hello" }];
  const request = { messages, model: "openai/gpt-4o", parameters };
  const requests = Array.from({ length: 20 }, (_, n) => ({ customId: `${n}`, request }));
  const { batchId } = await client.submitBatch({ requests });
  const failed = async () =>
    (await client.listJobs({ batchId })).jobs.filter(({ failure }) => failure?.kind === "provider_error");
  await expect.poll(async () => (await failed()).length, { timeout: 20_000 }).toBe(20);
  const body = JSON.stringify({ messages: [{ role: "user", content: "Hello" }], model: "openai/gpt-4o" });
  const headers = { "content-type": "application/json" };
  const now = await fetch(`${both.url}/v1/gateway/chat`, { method: "POST", headers, body });
  expect(now.status).toBe(200);
  await client.cancelBatch({ batchId });
});

test("a job waits for money that others hold, for hours perhaps, and does not fail by that", async () => {
  const budgets = [{ name: "small", limit_usd: 0.0055, per: "day" }];
  await using both = await startBoth({ budgets }, { ...SURROUNDINGS, clock: hastened(10, noon()) });
  const client = jobsAt(both.url);
  const asking = (content: string) => ({
    messages: [{ role: "user", content }],
    model: "openai/gpt-4o",
    parameters: { serviceTier: "batch", maxTokens: 1_000 },
  });
  const first = await client.submitJob(asking("[[emulate: hang=1]] Hello"));
  await expect.poll(() => both.emulator.meter.requests.some(({ path }) => path === "/v1/batches")).toBe(true);
  const { jobId } = await client.submitJob(asking("Hello"));
  await expect
    .poll(async () => (await client.getJob({ jobId })).failure, { timeout: 20_000 })
    .toMatchObject({ kind: "budget_exceeded", retryable: true });
  expect(await client.getJob({ jobId })).toMatchObject({ status: "pending", runs: 0 });
  for (const job of [first, { jobId }]) await client.cancelJob({ jobId: job.jobId });
});

test("a run that is cancelled is broken off at the provider, booked, and told", async () => {
  await using receiver = await startReceiver();
  const webhooks = {
    allowed_hosts: [`127.0.0.1:${receiver.port}`],
    allowed_networks: ["127.0.0.0/8"],
    allow_http: true,
  };
  await using both = await start({ jobs: { webhooks } });
  const client = jobsAt(both.url);
  const callbackUrl = `http://127.0.0.1:${receiver.port}/hook`;
  const { jobId } = await client.submitJob({ ...ASK, callbackUrl });
  const held = await upstream.next();
  held.say("Once");
  const cancelledAtMs = performance.now();
  await client.cancelJob({ jobId });
  await held.closed;
  expect(performance.now() - cancelledAtMs).toBeLessThan(SOON_MS);
  const job = await endOf(client, { jobId });
  expect(job).toMatchObject({ status: "cancelled", runs: 1 });
  expect(job.failure).toBeUndefined();
  const refused = await refusalOf(client.getJobResult({ jobId }));
  expect(refused).toMatchObject({
    kind: "job_cancelled",
    receipt: { attempts: [{ failureKind: "cancelled" }] },
  });
  await expect.poll(() => receiver.received.length).toBe(1);
  const [webhook] = receiver.received;
  expect(webhook?.headers["webhook-id"]).toBe(jobId);
  expect(JSON.parse(webhook?.body ?? "")).toMatchObject({
    type: "job.cancelled",
    data: { job: { job_id: jobId, status: "cancelled", cost_pico_usd: String(job.costPicoUsd) } },
  });
  const { dataDir } = both.gateway.config.ledger;
  await both.gateway.close();
  const booked = bookedIn(dataDir);
  expect(booked).toMatchObject([{ outcome: "abandoned", failure_kind: "cancelled" }]);
  expect(job.costPicoUsd).toBeGreaterThan(0n);
  expect(job.costPicoUsd).toBe(costOf(booked));
});

describe("a gateway that is stopped", () => {
  test("lets a run end that can within its time", async () => {
    const data_dir = temporaryFolder();
    const first = await start({ ledger: { data_dir } });
    const { jobId } = await jobsAt(first.url).submitJob(ASK);
    const held = await upstream.next();
    held.say("Once");
    const closed = first[Symbol.asyncDispose]();
    held.say(" more");
    held.end();
    await closed;
    await using next = await start({ ledger: { data_dir } });
    const job = await jobsAt(next.url).getJob({ jobId });
    expect(job).toMatchObject({ status: "completed", runs: 1 });
    expect(bookedIn(data_dir)).toMatchObject([{ outcome: "ok", cost: job.costPicoUsd }]);
  });

  test("waits for nobody who watches a job that waits", async () => {
    const both = await start({ server: { drain_timeout: "60s" } });
    const runAt = timestampFromMs(Date.now() + 3_600_000);
    const { jobId } = await jobsAt(both.url).submitJob({ ...ASK, runAt });
    const events = jobsAt(both.url).watchJob({ jobId })[Symbol.asyncIterator]();
    expect((await events.next()).value?.job?.status).toBe("pending");
    const begunAtMs = performance.now();
    const closed = both[Symbol.asyncDispose]();
    expect((await events.next()).value?.output?.error?.kind).toBe("shutting_down");
    await closed;
    // The clock is ten times as fast.
    expect(performance.now() - begunAtMs).toBeLessThan(5_000);
  });

  test("hands back a run that cannot, with what it cost, and the next one makes it", async () => {
    const data_dir = temporaryFolder();
    const first = await start({ ledger: { data_dir }, server: { drain_timeout: "1s" } });
    const { jobId } = await jobsAt(first.url).submitJob(ASK);
    const broken = await upstream.next();
    broken.say("Once");
    const watched = jobsAt(first.url).watchJob({ jobId });
    for await (const { output } of watched) if (output?.token) break;
    await first[Symbol.asyncDispose]();
    await broken.closed;
    const file = join(data_dir, "llmgateway.db");
    expect(rowsOf(file, "SELECT state, runs, lost_runs, partial FROM jobs")).toEqual([
      { state: "pending", runs: 1n, lost_runs: 0n, partial: "" },
    ]);
    await using next = await start({ ledger: { data_dir } });
    const held = await upstream.next();
    held.say("Twice");
    held.end();
    const client = jobsAt(next.url);
    const job = await endOf(client, { jobId });
    expect(job).toMatchObject({ status: "completed", runs: 2 });
    expect((await client.getJobResult({ jobId })).response).toBe("Twice");
    await next.gateway.close();
    const booked = bookedIn(data_dir);
    expect(booked).toMatchObject([{ failure_kind: "shutting_down" }, { outcome: "ok" }]);
    expect(booked[0]?.cost).toBeGreaterThan(0n);
    expect(job.costPicoUsd).toBe(costOf(booked));
  });
});

test("a job whose process is killed is taken up by the next, and its lost run counted and booked", async () => {
  const env = {
    LLMGATEWAY_DATA_DIR: temporaryFolder(),
    OPENAI_API_KEY: "emulated",
    OPENAI_BASE_URL: upstream.url,
  };
  let jobId = "";
  {
    await using killed = await startProcess(env);
    ({ jobId } = await jobsAt(killed.url).submitJob({ ...ASK, model: "openai/gpt-4o" }));
    const lost = await upstream.next();
    lost.say("Once");
    await expect.poll(() => bookedIn(env.LLMGATEWAY_DATA_DIR)).toMatchObject([{ state: "open" }]);
  }
  await using next = await startProcess(env);
  const held = await upstream.next();
  held.say("Twice");
  held.end();
  const client = jobsAt(next.url);
  const job = await endOf(client, { jobId });
  expect(job).toMatchObject({ status: "completed", runs: 2 });
  // What the lost run cost nobody can know.
  expect(job.costPicoUsd).toBeUndefined();
  expect((await client.getJobResult({ jobId })).response).toBe("Twice");
  expect(await next.stop()).toBe(0);
  expect(bookedIn(env.LLMGATEWAY_DATA_DIR)).toMatchObject([{ state: "unknown" }, { outcome: "ok" }]);
});
