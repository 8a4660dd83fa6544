/** What a running gateway answers about jobs, batches and webhooks, held against the OpenAPI document. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { CALLS_HERE, type Receiver, startReceiver } from "../support/receiver.ts";
import { exchange, expectFailure } from "./exchange.ts";

const JOBS = "/v1/gateway/jobs";
const BATCHES = "/v1/gateway/batches";
const WEBHOOKS = "/v1/gateway/webhooks";
const CONNECT = "/llmgateway.v1.GatewayService";
const MAX_PENDING = 3;

let both: GatewayUnderTest;
let full: GatewayUnderTest;
let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver((_, response) => void response.writeHead(410).end());
  both = await startBoth(CALLS_HERE.given, CALLS_HERE.surroundings);
  full = await startBoth({ jobs: { max_pending: MAX_PENDING } });
});
afterAll(() => Promise.all([receiver, both, full].map((one) => one[Symbol.asyncDispose]())));

const get = (path: string) => exchange(both.url, path, { verb: "GET" });
const post = (path: string, body: object) => exchange(both.url, path, { body });
const drop = (path: string) => exchange(both.url, path, { verb: "DELETE" });

function ask(content: string, more: object = {}): object {
  return { messages: [{ role: "user", content }], model: "openai/gpt-4o", ...more };
}

/** Waits for a run until long after the test. */
function later(content: string, more: object = {}): object {
  return ask(content, { run_at: new Date(Date.now() + 3_600_000).toISOString(), ...more });
}

describe("an answer is what it promises", () => {
  test("of a job that completes, and of the webhook that its receiver refuses", async () => {
    const hook = { callback_url: `http://127.0.0.1:${receiver.port}/hook`, metadata: { team: "search" } };
    const { job_id: id } = (await post(JOBS, ask("Hello", hook))).json;
    const { events } = await get(`${JOBS}/${id}/watch`);
    expect(events?.at(-1)).toMatchObject({ job: { status: "completed" } });
    expect((await get(`${JOBS}/${id}`)).json).toMatchObject({ status: "completed", runs: 1, ...hook });
    const { json } = await get(`${JOBS}/${id}/result`);
    expect(json.response).toMatch(/^This is the answer/);
    expect((await post(`${CONNECT}/GetJobResult`, { job_id: id })).json).toEqual(json);
    expect((await get(`${JOBS}?status=completed&page_size=1`)).json.jobs).toHaveLength(1);
    const webhook = `${WEBHOOKS}/${id}`;
    await expect.poll(async () => (await get(webhook)).json.status, { timeout: 9_000 }).toBe("failed");
    expect((await get(webhook)).json.deliveries).toMatchObject([{ attempt: 1, http_status: 410 }]);
    expect((await get(`${WEBHOOKS}?status=failed`)).json.webhooks).toHaveLength(1);
    expect((await post(`${webhook}/redeliver`, {})).status).toBe(200);
  });

  test("of a job that fails, and of one that is cancelled", async () => {
    const { job_id: failing } = (await post(JOBS, ask("[[emulate: status=400]] Hello"))).json;
    expect((await get(`${JOBS}/${failing}/watch`)).events?.at(-1)).toMatchObject({
      job: { status: "failed", failure: { kind: "provider_bad_request" } },
    });
    await expectFailure(both.url, "provider_bad_request", `${JOBS}/${failing}/result`, { verb: "GET" });
    const { job_id: waiting } = (await post(JOBS, later("Hello"))).json;
    await expectFailure(both.url, "job_not_ended", `${JOBS}/${waiting}/result`, { verb: "GET" });
    expect((await drop(`${JOBS}/${waiting}`)).json.status).toBe("cancelled");
    await expectFailure(both.url, "job_cancelled", `${JOBS}/${waiting}/result`, { verb: "GET" });
  });

  test("of batches", async () => {
    const requests = ["Hello", "[[emulate: status=400]] Hello"].map((content, index) => ({
      custom_id: `q${index}`,
      request: ask(content),
    }));
    const batch = `${BATCHES}/${(await post(BATCHES, { requests })).json.batch_id}`;
    await expect.poll(async () => (await get(batch)).json.status, { timeout: 9_000 }).toBe("completed");
    expect((await get(batch)).json).toMatchObject({ total: 2, completed: 1, failed: 1 });
    const { results } = (await get(`${batch}/results`)).json;
    expect(results.map(({ custom_id }: { custom_id: string }) => custom_id).sort()).toEqual(["q0", "q1"]);
    expect((await drop(batch)).json.status).toBe("completed");
  });
});

describe("a failure is what it promises", () => {
  test.each([[JOBS], [BATCHES], [WEBHOOKS]])("not_found below %s", async (path) => {
    await expectFailure(both.url, "not_found", `${path}/${randomUUID()}`, { verb: "GET" });
  });

  test.each([
    ["GetJob", "job_id"],
    ["GetJobResult", "job_id"],
    ["CancelJob", "job_id"],
    ["GetBatch", "batch_id"],
    ["ListBatchResults", "batch_id"],
    ["CancelBatch", "batch_id"],
    ["GetWebhook", "webhook_id"],
    ["RedeliverWebhook", "webhook_id"],
  ])("not_found at %s", async (method, field) => {
    await expectFailure(both.url, "not_found", `${CONNECT}/${method}`, { body: { [field]: randomUUID() } });
  });

  test("of what is submitted", async () => {
    const key = { idempotency_key: randomUUID() };
    expect((await post(JOBS, later("one", key))).status).toBe(200);
    await expectFailure(both.url, "idempotency_conflict", JOBS, { body: later("two", key) });
    const elsewhere = { callback_url: "https://elsewhere.example.com/hook" };
    await expectFailure(both.url, "invalid_request", JOBS, { body: ask("Hello", elsewhere) });
    await expectFailure(both.url, "unknown_model", JOBS, { body: ask("Hello", { model: "nobody/knows" }) });
    const requests = Array.from({ length: MAX_PENDING + 1 }, (_, index) => ({
      custom_id: String(index),
      request: ask("Hello"),
    }));
    await expectFailure(full.url, "job_queue_full", BATCHES, { body: { requests } });
  });
});
