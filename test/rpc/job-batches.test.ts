/** Batches of jobs, and jobs of the service tier `batch`, through the whole gateway. */
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { startEmulator } from "../../src/emulator/server.ts";
import { hastened } from "../support/clock.ts";
import { samplesOf } from "../support/exposition.ts";
import { type Configuration, startBoth } from "../support/gateway.ts";
import { endOf, type JobInit, jobsAt, refusalOf } from "../support/job-callers.ts";
import { SECRET, startReceiver } from "../support/receiver.ts";
import { rowsOf, temporaryFolder } from "../support/stores.ts";
import { startUpstream } from "../support/upstream.ts";

const SURROUNDINGS = { clock: hastened(10), env: { LLMGATEWAY_WEBHOOK_SECRET: SECRET } };

const start = (given: Configuration) => startBoth(given, SURROUNDINGS);

function webhooksTo(port: number) {
  return { allowed_hosts: [`127.0.0.1:${port}`], allowed_networks: ["127.0.0.0/8"], allow_http: true };
}

function item(customId: string, content = "Hello", model = "openai/gpt-4o") {
  return { customId, request: { messages: [{ role: "user", content }], model } };
}

describe("a batch", () => {
  test("gives its results page by page while it runs, and one webhook at its end", async () => {
    await using receiver = await startReceiver();
    await using upstream = await startUpstream();
    await using both = await start({
      providers: { held: { kind: "openai_compatible", base_url: upstream.url, prices: "openai" } },
      jobs: { max_concurrent: 1, webhooks: webhooksTo(receiver.port) },
    });
    const client = jobsAt(both.url);
    const requests = ["one", "two", "three"].map((name) => item(name, name, "held/gpt-4o"));
    const callbackUrl = `http://127.0.0.1:${receiver.port}/hook`;
    const { batchId, ...submitted } = await client.submitBatch({ requests, callbackUrl });
    expect(submitted).toMatchObject({ status: "running", total: 3 });
    const answer = async (word: string) => {
      const held = await upstream.next();
      held.say(word);
      held.end();
    };
    const counted = async () => (await client.getBatch({ batchId })).completed;
    await answer("first");
    await answer("second");
    await expect.poll(counted).toBe(2);
    let pageToken = "";
    const page = async () => {
      const { results, nextPageToken } = await client.listBatchResults({ batchId, pageSize: 1, pageToken });
      pageToken = nextPageToken;
      return results.map(({ customId, response }) => `${customId}: ${response?.response}`);
    };
    expect(await page()).toEqual(["one: first"]);
    expect(await page()).toEqual(["two: second"]);
    expect(await page()).toEqual([]);
    expect(pageToken).not.toBe("");
    expect(receiver.received).toEqual([]);
    await answer("third");
    await expect.poll(counted).toBe(3);
    expect(await page()).toEqual(["three: third"]);
    expect(pageToken).toBe("");
    const batch = await client.getBatch({ batchId });
    const { jobs } = await client.listJobs({ batchId });
    expect(batch).toMatchObject({ status: "completed", pending: 0, running: 0, failed: 0 });
    expect(batch.costPicoUsd).toBe(jobs.reduce((sum, { costPicoUsd = 0n }) => sum + costPicoUsd, 0n));
    await expect.poll(() => receiver.received.length).toBe(1);
    const [{ headers, body } = { headers: {}, body: "" }] = receiver.received;
    expect(new Webhook(SECRET).verify(body, headers as Record<string, string>)).toMatchObject({
      type: "batch.completed",
      data: { batch: { batch_id: batchId, status: "completed", completed: 3 } },
    });
    // None of its jobs has one of its own.
    const { webhooks } = await client.listWebhooks({});
    expect(webhooks).toMatchObject([{ webhookId: batchId, subject: "batch", attempts: 1 }]);
  });

  test("tells of each of its jobs what became of it, with the receipt of one that failed", async () => {
    await using both = await start({});
    const client = jobsAt(both.url);
    const requests = [item("good"), item("bad", "[[emulate: status=400]]")];
    const { batchId } = await client.submitBatch({ requests });
    await expect.poll(async () => (await client.getBatch({ batchId })).status).toBe("completed");
    expect(await client.getBatch({ batchId })).toMatchObject({ completed: 1, failed: 1 });
    const { results } = await client.listBatchResults({ batchId });
    const of = (name: string) => results.find(({ customId }) => customId === name);
    expect(of("good")).toMatchObject({ job: { status: "completed", batchId } });
    expect(of("good")?.receipt).toBeUndefined();
    expect(of("good")?.response?.response).toContain("Hello");
    expect(of("bad")).toMatchObject({ job: { status: "failed" } });
    expect(of("bad")?.response).toBeUndefined();
    expect(of("bad")?.receipt?.attempts).toMatchObject([{ failureKind: "provider_bad_request" }]);
  });

  test("that is cancelled ends what waits at once, and what runs soon", async () => {
    await using both = await start({ jobs: { max_concurrent: 1 } });
    const client = jobsAt(both.url);
    const requests = [item("one", "[[emulate: hang=1]]"), item("two")];
    const { batchId } = await client.submitBatch({ requests });
    await expect.poll(async () => (await client.getBatch({ batchId })).running).toBe(1);
    expect(await client.cancelBatch({ batchId })).toMatchObject({ status: "running", cancelled: 1 });
    await expect
      .poll(async () => (await client.getBatch({ batchId })).status, { timeout: 5_000 })
      .toBe("cancelled");
    expect(await client.getBatch({ batchId })).toMatchObject({ cancelled: 2, completed: 0 });
  });

  test("is taken whole or not at all, and says which of its requests is wrong", async () => {
    await using both = await start({});
    const client = jobsAt(both.url);
    const refused = async (...requests: ReturnType<typeof item>[]) => {
      const { kind, fields } = await refusalOf(client.submitBatch({ requests }));
      return [kind, ...fields];
    };
    expect(await refused(item("one"), item("two"), item("one"))).toEqual([
      "invalid_request",
      "requests[2].custom_id",
    ]);
    expect(await refused(item("one"), item("two", "Hello", "nobody/gpt-4o"))).toEqual([
      "unknown_model",
      "requests[1].request.model",
    ]);
    expect((await client.listJobs({})).jobs).toEqual([]);
  });
});

test("a job's webhook has the result, unless it is too large to send", async () => {
  await using receiver = await startReceiver();
  await using upstream = await startUpstream();
  await using both = await start({
    providers: { held: { kind: "openai_compatible", base_url: upstream.url, prices: "openai" } },
    jobs: { webhooks: webhooksTo(receiver.port) },
  });
  const client = jobsAt(both.url);
  const callbackUrl = `http://127.0.0.1:${receiver.port}/hook`;
  const messages = [{ role: "user", content: "Hello" }];
  for (const [index, text] of ["short", "x".repeat(256 * 1024)].entries()) {
    const { jobId } = await client.submitJob({ messages, model: "held/gpt-4o", callbackUrl });
    const held = await upstream.next();
    held.say(text);
    held.end();
    await expect.poll(() => receiver.received.length, { timeout: 5_000 }).toBe(index + 1);
    const { headers, body } = receiver.received[index] ?? { headers: {}, body: "" };
    const event = new Webhook(SECRET).verify(body, headers as Record<string, string>);
    expect(event).toMatchObject({
      type: "job.completed",
      timestamp: expect.stringMatching(/Z$/),
      data: { job: { job_id: jobId, status: "completed" } },
    });
    const { result } = (event as { data: { result?: object } }).data;
    if (index === 0) expect(result).toMatchObject({ response: text, provider: "held" });
    else expect(result).toBeUndefined();
    expect((await client.getJobResult({ jobId })).response).toBe(text);
  }
});

describe("the service tier of batches", () => {
  const ask: JobInit = {
    messages: [{ role: "user", content: "Hello" }],
    model: "openai/gpt-4o-mini",
    parameters: { maxTokens: 50 },
  };
  const inBatch: JobInit = { ...ask, parameters: { maxTokens: 50, serviceTier: "batch" } };

  test("costs half, to the pico-dollar, and says the same", async () => {
    await using both = await start({});
    const client = jobsAt(both.url);
    // Both are estimated before anything is learnt of either.
    const submitted = [await client.submitJob(ask), await client.submitJob(inBatch)] as const;
    const [whole, half] = [await endOf(client, submitted[0]), await endOf(client, submitted[1])];
    expect(half).toMatchObject({ status: "completed", runs: 1 });
    expect((half.costPicoUsd ?? 0n) * 2n).toBe(whole.costPicoUsd);
    expect((half.estimatedCostPicoUsd ?? 0n) * 2n).toBe(whole.estimatedCostPicoUsd);
    const said = await Promise.all([whole, half].map(({ jobId }) => client.getJobResult({ jobId })));
    expect(said[1]?.response).toBe(said[0]?.response);
  });

  test("outlasts the gateway: the next takes the batch up, and books it once", async () => {
    const emulator = await startEmulator({ batchMs: 4_000 });
    try {
      const data_dir = temporaryFolder();
      const config = { ledger: { data_dir }, providers: { openai: { base_url: `${emulator.url}/v1` } } };
      const file = join(data_dir, "llmgateway.db");
      const first = await start(config);
      const { jobId } = await jobsAt(first.url).submitJob(inBatch);
      const parked = () => rowsOf(file, "SELECT parked FROM jobs")[0]?.parked;
      await expect.poll(parked, { timeout: 20_000 }).toContain("batch");
      await first[Symbol.asyncDispose]();
      // It did not wait for the batch, which would have completed the job.
      expect(rowsOf(file, "SELECT state, runs FROM jobs")).toEqual([{ state: "pending", runs: 0n }]);
      await using next = await start(config);
      const job = await endOf(jobsAt(next.url), { jobId });
      expect(job).toMatchObject({ status: "completed", runs: 1 });
      await next.gateway.close();
      const booked = rowsOf(file, "SELECT outcome, service_tier, cost_pico_usd AS cost FROM attempts");
      expect(booked).toEqual([{ outcome: "ok", service_tier: "batch", cost: job.costPicoUsd }]);
      expect(rowsOf(file, "SELECT count(*) AS calls FROM calls")).toEqual([{ calls: 1n }]);
    } finally {
      await emulator.close();
    }
  });

  test("is taken up where it was sent, whatever the names mean by then", async () => {
    const emulator = await startEmulator({ batchMs: 1_500 });
    try {
      const data_dir = temporaryFolder();
      const openai = { base_url: `${emulator.url}/v1` };
      const away = {
        kind: "openai",
        base_url: "http://127.0.0.1:1/v1",
        prices: "openai",
        api_key_env: "OPENAI_API_KEY",
      };
      const at = (...targets: object[]) => ({
        ledger: { data_dir },
        providers: { openai, away },
        aliases: { house: { targets } },
      });
      const file = join(data_dir, "llmgateway.db");
      // The first target is as good as sure to be asked first.
      const first = await start(
        at({ target: "away/gpt-4o-mini", weight: 1_000 }, { target: "openai/gpt-4o-mini", weight: 0 }),
      );
      const { jobId } = await jobsAt(first.url).submitJob({ ...inBatch, model: "house" });
      const parked = () => rowsOf(file, "SELECT parked FROM jobs")[0]?.parked;
      await expect.poll(parked, { timeout: 20_000 }).toContain("batch");
      await first[Symbol.asyncDispose]();
      await using next = await start(at({ target: "openai/gpt-4o" }));
      const job = await endOf(jobsAt(next.url), { jobId });
      expect(job).toMatchObject({ status: "completed", runs: 1 });
      await next.gateway.close();
      const booked =
        "SELECT number, provider, model, state, outcome, cost_pico_usd AS cost FROM attempts ORDER BY number";
      // Hello is eight tokens, and the answer thirty, at half of $0.15 and of $0.60 for a million.
      expect(job.costPicoUsd).toBe(8n * 75_000n + 30n * 300_000n);
      expect(rowsOf(file, booked)).toMatchObject([
        { number: 1n, provider: "away", state: "settled", outcome: "failed", cost: 0n },
        {
          number: 2n,
          provider: "openai",
          model: "gpt-4o-mini",
          state: "settled",
          outcome: "ok",
          cost: job.costPicoUsd,
        },
      ]);
    } finally {
      await emulator.close();
    }
  });
});

test("metrics count jobs by their status, and runs by what became of them", async () => {
  await using both = await start({});
  const client = jobsAt(both.url);
  for (const content of ["Hello", "[[emulate: status=400]]"])
    await endOf(
      client,
      await client.submitJob({ messages: [{ role: "user", content }], model: "openai/gpt-4o" }),
    );
  await client.submitJob({
    messages: [{ role: "user", content: "[[emulate: hang=1]]" }],
    model: "openai/gpt-4o",
  });
  const metrics = async () => (await fetch(`${both.url}/v1/gateway/metrics`)).text();
  await expect.poll(async () => samplesOf(await metrics(), "llm_jobs_running_here")[""]).toBe(1);
  const text = await metrics();
  expect(samplesOf(text, "llm_jobs")).toMatchObject({
    'status="completed"': 1,
    'status="failed"': 1,
    'status="running"': 1,
    'status="pending"': 0,
  });
  expect(samplesOf(text, "llm_jobs_submitted_total")).toEqual({ "": 3 });
  expect(samplesOf(text, "llm_jobs_ended_total")).toEqual({ 'status="completed"': 1, 'status="failed"': 1 });
  expect(samplesOf(text, "llm_job_runs_total")).toEqual({
    'kind="",outcome="completed"': 1,
    'kind="provider_bad_request",outcome="failed"': 1,
  });
  const events = both.log.events.filter(({ msg }) => msg === "job");
  expect(events).toMatchObject([
    { outcome: "completed", run: 1 },
    { outcome: "failed", failure_kind: "provider_bad_request", level: 40 },
  ]);
});
