/** Answers to requests in other words, through the whole gateway: what callers are given, and what is booked. */
import { hash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startEmulator } from "../../src/emulator/server.ts";
import { startGateway } from "../../src/gateway.ts";
import { KEYS, providersAt } from "../support/emulated.ts";
import { samplesOf } from "../support/exposition.ts";
import { CollectedLog, type Surroundings, startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";
import { temporaryFolder } from "../support/stores.ts";

interface Asked {
  readonly url: string;
}

const ONE = "How do I reset my password?";
const OTHER = "What are the steps to reset my password?";

function withSemantic(semantic: object, surroundings: Surroundings = {}, config: object = {}) {
  // No answer is looked for in vain because a machine pauses.
  const patient = { timeout: "20s", ...semantic };
  return startBoth({ cache: { enabled: true, semantic: patient }, ...config }, surroundings);
}

async function ask({ url }: Asked, content: string, request: object = {}, headers = {}) {
  const body = { messages: [{ role: "user", content }], ...request };
  const reply = await http1(`${url}/v1/gateway/chat`, JSON.stringify(body), {
    headers: { "content-type": "application/json", ...headers },
  });
  return JSON.parse(await reply.text());
}

async function metric({ url }: Asked, name: string) {
  return samplesOf(await (await fetch(`${url}/v1/gateway/metrics`)).text(), name);
}

test("a request in other words is given the answer, and hears to which it was and how alike both are", async () => {
  await using both = await withSemantic({ mode: "serve" });
  const first = await ask(both, ONE);
  expect(first).toMatchObject({ cached: false, cache: { outcome: "miss" } });
  const second = await ask(both, OTHER);
  expect(second).toMatchObject({
    response: first.response,
    provider: "openai",
    model: "gpt-4o",
    cached: true,
    cache_kind: "semantic",
    cache: { outcome: "hit", source_request_id: first.request_id, similarity: expect.any(Number) },
    cost: { actual_usd: 0, saved_usd: first.cost.actual_usd },
    attempts: [],
  });
  expect(second.cache.similarity).toBeGreaterThan(0.75);
  expect(second.cache.stored_at).toEqual(expect.any(String));
  expect(both.emulator.meter.requests).toHaveLength(1);
  expect(await metric(both, "llm_cache_hit_total")).toEqual({
    'kind="semantic",model="gpt-4o",provider="openai"': 1,
  });
});

test("a stream is given the answer to a whole one", async () => {
  await using both = await withSemantic({ mode: "serve" });
  const first = await ask(both, ONE);
  const body = JSON.stringify({ messages: [{ role: "user", content: OTHER }] });
  const text = await (await http1(`${both.url}/v1/gateway/stream`, body)).text();
  const events = text
    .split("\n")
    .filter((line) => line.startsWith("data: "))
    .map((line) => JSON.parse(line.slice(6)));
  expect(events.map(({ token = "" }) => token).join("")).toBe(first.response);
  expect(events.at(-1)).toMatchObject({ done: true, receipt: { cache_kind: "semantic" } });
});

test("what says something else is asked of the provider", async () => {
  await using both = await withSemantic({ mode: "serve" });
  await ask(both, ONE);
  expect(await ask(both, "How do I not reset my password?")).toMatchObject({ cached: false });
  expect(await ask(both, "How do I reset my router?")).toMatchObject({ cached: false });
});

test("only the last text is compared: all else must be the same", async () => {
  await using both = await withSemantic({ mode: "serve" });
  await ask(both, ONE);
  const system = [{ role: "system", content: "Be brief." }];
  for (const other of [
    { messages: [...system, { role: "user", content: OTHER }] },
    { model: "openai/gpt-4o-mini" },
    { parameters: { temperature: 0.5 } },
    { tools: [{ name: "reset", description: "Resets", parameters: {} }] },
    { extra_body: { user: "ann" } },
    { cache: "bypass" },
    { sensitive: true },
  ])
    expect(await ask(both, OTHER, other), JSON.stringify(other)).toMatchObject({ cached: false });
  expect(await ask(both, OTHER)).toMatchObject({ cached: true });
});

const CALLERS = [
  { name: "ann", key: "key-of-ann", tenant: "red" },
  { name: "ben", key: "key-of-ben", tenant: "blue" },
];

test("nobody is given an answer of another tenant", async () => {
  const keys = CALLERS.map(({ key, ...rest }) => ({ ...rest, sha256: hash("sha256", key) }));
  await using both = await withSemantic({ mode: "serve" }, {}, { auth: { keys } });
  const as = (key: string) => ({ authorization: `Bearer ${key}` });
  await ask(both, ONE, {}, as("key-of-ann"));
  expect(await ask(both, OTHER, {}, as("key-of-ben"))).toMatchObject({ cached: false });
  expect(await ask(both, OTHER, {}, as("key-of-ann"))).toMatchObject({ cached: true });
});

test("an embedder's work is an attempt of the call that wanted it, and is booked with it", async () => {
  const embedder = "openai/text-embedding-3-small";
  await using both = await withSemantic({ mode: "serve", embedder, threshold: 0.5 });
  const first = await ask(both, ONE);
  expect(first.attempts).toMatchObject([
    { number: 1, model: "text-embedding-3-small", trigger: "semantic_cache", outcome: "ok" },
    { number: 2, model: "gpt-4o", trigger: "first", outcome: "ok" },
  ]);
  expect(first).toMatchObject({ provider: "openai", model: "gpt-4o" });
  const [looked, answered] = first.attempts;
  expect(looked.actual_usd).toBeGreaterThan(0);
  expect(first.cost.actual_pico_usd).toBe(
    String(BigInt(looked.actual_pico_usd) + BigInt(answered.actual_pico_usd)),
  );
  // What the answer was expected to cost is not what looking it up does.
  expect(first.cost.estimated_usd).toBeGreaterThan(looked.actual_usd * 2);

  const second = await ask(both, "How can I reset my password?");
  expect(second).toMatchObject({ cached: true, cache_kind: "semantic", model: "gpt-4o" });
  expect(second.attempts).toMatchObject([{ trigger: "semantic_cache" }]);
  expect(second.cost).toMatchObject({
    actual_usd: second.attempts[0].actual_usd,
    // Of the answer alone: looking it up had to be paid for again.
    saved_usd: answered.actual_usd,
  });
  const served = both.emulator.meter.requests.map(({ model }) => model);
  expect(served).toEqual(["text-embedding-3-small", "gpt-4o", "text-embedding-3-small"]);

  const third = await ask(both, "How can I reset my password?");
  expect(third).toMatchObject({ cache_kind: "semantic", attempts: [] });
});

test("who shares an answer, or has it again, saves what it cost, and not what it cost to look for another", async () => {
  const embedder = "openai/text-embedding-3-small";
  await using both = await withSemantic(
    { mode: "serve", embedder, threshold: 0.5 },
    { emulator: { firstTokenMs: 100 } },
  );
  const own = { "idempotency-key": "first" };
  const two = await Promise.all([ask(both, ONE, {}, own), ask(both, ONE)]);
  // Either of them may be first.
  const [first, shared] = two.toSorted((a, b) => Number(a.cached) - Number(b.cached));
  const { actual_pico_usd: saved_pico_usd } = first.attempts[1];
  expect(shared).toMatchObject({ cache_kind: "coalesced", cost: { saved_pico_usd } });
  expect(await ask(both, ONE, {}, own)).toMatchObject({ cache_kind: "idempotent", cost: { saved_pico_usd } });
  const other = { "idempotency-key": "other" };
  for (const cache_kind of ["semantic", "idempotent"])
    expect(await ask(both, "How can I reset my password?", {}, other)).toMatchObject({
      cache_kind,
      cost: { saved_pico_usd },
    });
});

test("an embedder that fails, or is refused, costs no call its answer", async () => {
  for (const embedder of ["openai/no-such-model", "gemini/gemini-embedding-001"]) {
    const faults = { env: { GEMINI_API_KEY: "" } };
    await using both = await withSemantic({ mode: "serve", embedder }, faults);
    expect(await ask(both, ONE)).toMatchObject({ cached: false, finish_reason: "stop", model: "gpt-4o" });
    expect(await ask(both, OTHER)).toMatchObject({ cached: false, finish_reason: "stop" });
  }
});

test("a ceiling that does not afford the embedding is no reason to fail", async () => {
  const embedder = "openai/text-embedding-3-small";
  await using both = await withSemantic({ mode: "serve", embedder });
  const reply = await ask(both, ONE, { max_cost_usd: 0.00000001 });
  expect(reply.code).toBe("resource_exhausted");
  expect(both.emulator.meter.requests).toHaveLength(0);
});

test("a ceiling that affords the embedding alone ends the call, and the embedding is booked", async () => {
  const embedder = "openai/text-embedding-3-small";
  await using both = await withSemantic({ mode: "serve", embedder });
  const reply = await ask(both, ONE, { max_cost_usd: 0.000001 });
  expect(reply.code).toBe("resource_exhausted");
  const receipt = reply.details.find(({ type }: { type: string }) => type === "llmgateway.v1.Receipt");
  expect(receipt.debug).toMatchObject({ attempts: [{ trigger: "semantic_cache", outcome: "ok" }] });
  expect(both.emulator.meter.requests.map(({ model }) => model)).toEqual(["text-embedding-3-small"]);
  expect(await metric(both, "llm_cache_miss_total")).not.toHaveProperty(
    'model="text-embedding-3-small",provider="openai"',
  );
});

test("in shadow mode nothing is given; metrics and log tell what would have been", async () => {
  await using both = await withSemantic({ mode: "shadow" });
  await ask(both, ONE);
  const second = await ask(both, OTHER);
  expect(second).toMatchObject({ cached: false, cache: { outcome: "miss" } });
  expect(both.emulator.meter.requests).toHaveLength(2);
  const told = await both.log.about(second.request_id);
  expect(told).toMatchObject({ cache: "miss", cache_shadow_similarity: expect.any(Number) });
  expect(["same", "different"]).toContain(told.cache_shadow);
  expect(await metric(both, "llm_cache_semantic_shadow_total")).toEqual({
    'model="gpt-4o",outcome="miss",provider="openai"': 1,
    [`model="gpt-4o",outcome="${told.cache_shadow}",provider="openai"`]: 1,
  });
});

test("an answer that was given to other words is not kept under them, and none outlives its own time", async () => {
  await using both = await withSemantic({ mode: "serve" });
  const first = await ask(both, ONE);
  for (let time = 0; time < 2; time++)
    expect(await ask(both, OTHER)).toMatchObject({
      cache_kind: "semantic",
      cache: { source_request_id: first.request_id },
    });
  expect(await ask(both, OTHER, { cache: "refresh" })).toMatchObject({ cached: false });
  expect(await ask(both, OTHER)).toMatchObject({ cache_kind: "exact" });
});

test("what is known outlasts the gateway", async () => {
  const emulator = await startEmulator();
  const folder = temporaryFolder();
  const file = join(folder, "config.yaml");
  const cache = { enabled: true, semantic: { mode: "serve" } };
  const providers = providersAt(emulator.url);
  const server = { port: 0 };
  const ledger = { data_dir: join(folder, "data") };
  writeFileSync(file, JSON.stringify({ default_model: "openai/gpt-4o", cache, providers, server, ledger }));
  const start = () => startGateway({ file, env: KEYS, logTo: new CollectedLog() });
  const before = await start();
  const first = await ask(before, ONE);
  await before.close();
  const after = await start();
  expect(await ask(after, OTHER)).toMatchObject({
    response: first.response,
    cache_kind: "semantic",
    cache: { source_request_id: first.request_id },
    cost: { saved_pico_usd: first.cost.actual_pico_usd },
  });
  expect(await ask(after, ONE)).toMatchObject({ cache_kind: "exact" });
  await after.close();
  await emulator.close();
});
