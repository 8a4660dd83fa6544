/** Jobs through the whole gateway: each way in which one ends or is refused has its documented code on every protocol. */
import { createHash } from "node:crypto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Job } from "../../gen/ts/llmgateway/v1/job_pb.ts";
import { hastened } from "../support/clock.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { endOf, JOB_CALLERS, type JobInit, jobsAt, refusalOf } from "../support/job-callers.ts";

const keyed = (name: string) => ({
  name,
  sha256: createHash("sha256").update(`key-${name}`).digest("hex"),
  tenant: "acme",
});
const mine = { headers: { "x-api-key": "key-mine" } };
const theirs = { headers: { "x-api-key": "key-theirs" } };

let both: GatewayUnderTest;
let narrow: GatewayUnderTest;
beforeAll(async () => {
  const clock = hastened(10);
  both = await startBoth(
    {
      server: { host: "127.0.0.1" },
      auth: { keys: [keyed("mine"), keyed("theirs")] },
      jobs: { max_job_bytes: 1024 },
      budgets: [{ name: "nothing", provider: "mistral", limit_usd: 1e-9, per: "day" }],
    },
    { clock },
  );
  narrow = await startBoth({ jobs: { max_concurrent: 1, max_pending: 1 } }, { clock });
});
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  await narrow[Symbol.asyncDispose]();
});

function saying(content: string, more: JobInit = {}): JobInit {
  return { model: "openai/gpt-4o", messages: [{ role: "user", content }], ...more };
}

const REFUSED: readonly [what: string, request: JobInit, kind: string, code: string, fields: string[]][] = [
  ["an oversized job", saying("x".repeat(1_024)), "payload_too_large", "ResourceExhausted", []],
  [
    "a limit that affords no answer",
    saying("Hello", { maxCostUsd: 1e-9 }),
    "budget_exceeded",
    "ResourceExhausted",
    ["max_cost_usd"],
  ],
  ["no messages", { model: "openai/gpt-4o" }, "invalid_request", "InvalidArgument", ["messages"]],
  [
    "a host that may not be called",
    saying("Hello", { callbackUrl: "https://elsewhere.example.com/" }),
    "invalid_request",
    "InvalidArgument",
    ["callback_url"],
  ],
  [
    "what is no URL",
    saying("Hello", { callbackUrl: "soon" }),
    "invalid_request",
    "InvalidArgument",
    ["callback_url"],
  ],
  [
    "a priority beyond the highest",
    saying("Hello", { priority: 101 }),
    "invalid_request",
    "InvalidArgument",
    ["priority"],
  ],
  ["an unknown model", saying("Hello", { model: "nobody/gpt-4o" }), "unknown_model", "NotFound", ["model"]],
  [
    "batches where there are none",
    saying("Hello", { model: "claude", parameters: { serviceTier: "batch" } }),
    "invalid_request",
    "InvalidArgument",
    ["parameters.service_tier"],
  ],
];

describe.each(JOB_CALLERS)("$name", ({ at }) => {
  test.each(REFUSED)("refuses %s", async (_, request, kind, code, fields) => {
    const client = at(both.url);
    const before = (await client.listJobs({ pageSize: 1000 }, mine)).jobs.length;
    expect(await refusalOf(client.submitJob(request, mine))).toMatchObject({ kind, code, fields });
    expect((await client.listJobs({ pageSize: 1000 }, mine)).jobs).toHaveLength(before);
  });

  test("refuses what is no id, by its field, for every question about a job", async () => {
    const client = at(both.url);
    const asked = { jobId: "mine" };
    const refused = { kind: "invalid_request", code: "InvalidArgument", fields: ["job_id"] };
    expect(await refusalOf(client.getJob(asked, mine))).toMatchObject(refused);
    expect(await refusalOf(client.getJobResult(asked, mine))).toMatchObject(refused);
    expect(await refusalOf(client.cancelJob(asked, mine))).toMatchObject(refused);
    expect(await refusalOf(Array.fromAsync(client.watchJob(asked, mine)))).toMatchObject(refused);
  });

  test("takes a job, runs it, and has its answer with what it cost", async () => {
    const client = at(both.url);
    const metadata = { team: "search" };
    const submitted = await client.submitJob(saying("Hello", { priority: 3, metadata }), mine);
    expect(submitted).toMatchObject({ model: "openai/gpt-4o", priority: 3, metadata });
    expect(submitted.estimatedCostPicoUsd).toBeGreaterThan(0n);
    const job = await ended(submitted);
    expect(job).toMatchObject({ status: "completed", runs: 1 });
    const result = await client.getJobResult({ jobId: job.jobId }, mine);
    expect(result).toMatchObject({ finishReason: "stop", provider: "openai", requestId: job.jobId });
    expect(result.response).toContain('the answer to "Hello"');
    expect(result.cost?.actualPicoUsd).toBe(job.costPicoUsd);
    const { jobs } = await client.listJobs(
      { status: "completed", model: "openai/gpt-4o", pageSize: 1000 },
      mine,
    );
    expect(jobs.map(({ jobId }) => jobId)).toContain(job.jobId);
  });

  test("has one job for a key, in the request or in the header, and none for another request", async () => {
    const client = at(both.url);
    const idempotencyKey = crypto.randomUUID();
    const inHeader = { headers: { ...mine.headers, "idempotency-key": idempotencyKey } };
    // Clients write a map in any order.
    const labels = { first: "1", second: "2" };
    const turned = { second: "2", first: "1" };
    const { jobId } = await client.submitJob(saying("Hello", { idempotencyKey, metadata: labels }), mine);
    const again = await client.submitJob(saying("Hello", { metadata: turned }), inHeader);
    expect(again.jobId).toBe(jobId);
    const other = await refusalOf(client.submitJob(saying("Good bye", { idempotencyKey }), mine));
    const conflict = { kind: "idempotency_conflict", code: "AlreadyExists", fields: ["idempotency_key"] };
    expect(other).toMatchObject(conflict);
    // Nobody is told of another's keys.
    const { jobId: another } = await client.submitJob(saying("Hello", { idempotencyKey }), theirs);
    expect(another).not.toBe(jobId);
  });

  test("tells nobody of another's job", async () => {
    const client = at(both.url);
    const { jobId } = await client.submitJob(saying("Hello"), mine);
    const notFound = { kind: "not_found", code: "NotFound" };
    expect(await refusalOf(client.getJob({ jobId }, theirs))).toMatchObject(notFound);
    expect(await refusalOf(client.getJobResult({ jobId }, theirs))).toMatchObject(notFound);
    expect(await refusalOf(client.cancelJob({ jobId }, theirs))).toMatchObject(notFound);
    expect(await refusalOf(Array.fromAsync(client.watchJob({ jobId }, theirs)))).toMatchObject(notFound);
    expect((await client.listJobs({ pageSize: 1000 }, theirs)).jobs.map((job) => job.jobId)).not.toContain(
      jobId,
    );
  });

  test("has no result yet, and none of a job that was cancelled while it waited", async () => {
    const client = at(both.url);
    const runAt = timestampFromMs(Date.now() + 86_400_000);
    const { jobId } = await client.submitJob(saying("Hello", { runAt }), mine);
    const early = await refusalOf(client.getJobResult({ jobId }, mine));
    expect(early).toMatchObject({ kind: "job_not_ended", code: "FailedPrecondition", retrySeconds: 1 });
    const job = await client.cancelJob({ jobId }, mine);
    expect(job).toMatchObject({ status: "cancelled", runs: 0, costPicoUsd: 0n });
    const late = await refusalOf(client.getJobResult({ jobId }, mine));
    expect(late).toMatchObject({ kind: "job_cancelled", code: "FailedPrecondition", receipt: undefined });
    // Again it is the same end.
    expect(await client.cancelJob({ jobId }, mine)).toMatchObject({ status: "cancelled" });
  });

  test("has a failed job's own failure, with the receipt of what was spent", async () => {
    const client = at(both.url);
    const job = await ended(await client.submitJob(saying("[[emulate: status=400]] Hello"), mine));
    expect(job).toMatchObject({ status: "failed", runs: 1, costPicoUsd: 0n });
    expect(job.failure).toMatchObject({ kind: "provider_bad_request", retryable: false });
    const { kind, code, receipt } = await refusalOf(client.getJobResult({ jobId: job.jobId }, mine));
    expect({ kind, code }).toEqual({ kind: "provider_bad_request", code: "InvalidArgument" });
    expect(receipt?.attempts).toMatchObject([{ outcome: "failed", failureKind: "provider_bad_request" }]);
  });

  test("has a run end at its own deadline, and books what that may have cost", async () => {
    const client = at(both.url);
    const job = await ended(
      await client.submitJob(saying("[[emulate: hang=1]]", { timeoutMs: 2_000 }), mine),
    );
    expect(job).toMatchObject({ status: "failed", runs: 1 });
    const { kind, code, receipt } = await refusalOf(client.getJobResult({ jobId: job.jobId }, mine));
    expect({ kind, code }).toEqual({ kind: "deadline_exceeded", code: "DeadlineExceeded" });
    expect(receipt?.cost?.actualPicoUsd).toBe(job.costPicoUsd);
    expect(job.costPicoUsd).toBeGreaterThan(0n);
  });

  test("has a job fail for which there is no money, and that has cost nothing", async () => {
    const client = at(both.url);
    const job = await ended(await client.submitJob(saying("Hello", { model: "mistral" }), mine));
    expect(job).toMatchObject({ status: "failed", runs: 1, costPicoUsd: 0n });
    const refused = await refusalOf(client.getJobResult({ jobId: job.jobId }, mine));
    expect(refused).toMatchObject({ kind: "budget_exceeded", code: "ResourceExhausted" });
  });

  test("has a job expire that could not be begun, and refuses more than may wait", async () => {
    const client = at(narrow.url);
    const busy = await client.submitJob(saying("[[emulate: hang=1]]"));
    await expect.poll(async () => (await client.getJob({ jobId: busy.jobId })).status).toBe("running");
    const late = await client.submitJob(saying("Hello", { startWithinMs: 3_000n }));
    const full = await refusalOf(client.submitJob(saying("Hello")));
    expect(full).toMatchObject({ kind: "job_queue_full", code: "ResourceExhausted", retrySeconds: 5 });
    expect(await endOf(client, late)).toMatchObject({ status: "expired", runs: 0 });
    const refused = await refusalOf(client.getJobResult({ jobId: late.jobId }));
    expect(refused).toMatchObject({ kind: "job_expired", code: "FailedPrecondition" });
    await client.cancelJob({ jobId: busy.jobId });
    expect(await endOf(client, busy)).toMatchObject({ status: "cancelled" });
  });
});

test("forgets a result after its time, and still knows what became of the job", async () => {
  await using brief = await startBoth({}, { clock: hastened(10), env: { JOB_STORE_TTL_SECONDS: "20" } });
  const { jobId } = await endOf(jobsAt(brief.url), await jobsAt(brief.url).submitJob(saying("Hello")));
  for (const { at } of JOB_CALLERS)
    expect((await at(brief.url).getJobResult({ jobId })).response).not.toBe("");
  const gone = () =>
    refusalOf(jobsAt(brief.url).getJobResult({ jobId })).then(
      ({ kind }) => kind,
      () => "",
    );
  await expect.poll(gone, { timeout: 10_000 }).toBe("result_expired");
  for (const { at } of JOB_CALLERS) {
    const refused = await refusalOf(at(brief.url).getJobResult({ jobId }));
    expect(refused).toMatchObject({ kind: "result_expired", code: "NotFound" });
    expect(await at(brief.url).getJob({ jobId })).toMatchObject({ status: "completed" });
  }
});

test("names every field of a REST body that it does not know", async () => {
  const reply = await fetch(`${both.url}/v1/gateway/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json", ...mine.headers },
    body: JSON.stringify({ messages: [{ role: "user", content: "Hello" }], stream: true, callbak_url: "" }),
  });
  expect(reply.status).toBe(400);
  expect(await reply.text()).toMatch(/stream.*callbak_url|callbak_url.*stream/);
});

test("keeps an open stream of nobody's job from beginning: a bad watch has its status", async () => {
  const url = `${both.url}/v1/gateway/jobs/${crypto.randomUUID()}/watch`;
  expect((await fetch(url, mine)).status).toBe(404);
});

function ended(job: Job): Promise<Job> {
  return endOf(jobsAt(both.url), job, mine);
}
