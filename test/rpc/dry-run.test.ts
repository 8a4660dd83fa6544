/** What would become of a request, by every way in: told without a call, a row or money held. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { CALLERS, type ChatInit } from "../support/callers.ts";
import { samplesOf } from "../support/exposition.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";
import { hasRedis, startRedis } from "../support/redis.ts";

const MESSAGES = [{ role: "user", content: "What is a gateway?" }];
const POLICIES = {
  routing_policies: {
    frugal: { prefer: ["openai/gpt-4o", "openai/gpt-4o-mini", "claude"], optimize: "cost" },
    penny: { prefer: ["openai/gpt-4o", "claude"], max_cost_per_request: 0.000_001 },
    european: { region: "eu-west-1" },
  },
};

let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth(POLICIES);
});
afterAll(() => both[Symbol.asyncDispose]());

async function metrics(): Promise<string> {
  return (await fetch(`${both.url}/v1/gateway/metrics`)).text();
}

describe.each(CALLERS)("$name", ({ at }) => {
  const dryRun = (request: ChatInit) => at(both.url).dryRun(request);

  test("tells who would answer, and about what it would cost, and has nobody asked", async () => {
    const asked = both.emulator.meter.requests.length;
    const before = samplesOf(await metrics(), "llm_requests_total");
    const reply = await dryRun({
      messages: MESSAGES,
      model: "openai/gpt-4o",
      parameters: { maxTokens: 100 },
    });
    expect(reply).toMatchObject({
      provider: "openai",
      model: "gpt-4o",
      route: { policy: "explicit", candidates: [] },
      dropped: [],
      priceVersion: expect.stringMatching(/./),
    });
    // The prices of gpt-4o; nothing was learnt of it yet, so that the answer is taken for as long as it may be.
    const input = Number(reply.estimatedPicoUsd ?? 0n) - 100 * 10_000_000;
    expect(Math.abs(input / 2_500_000 / reply.inputTokens - 1)).toBeLessThan(0.2);
    expect(reply.estimatedUsd).toBe(Number(reply.estimatedPicoUsd) / 1e12);
    expect(both.emulator.meter.requests).toHaveLength(asked);
    expect(samplesOf(await metrics(), "llm_requests_total")).toEqual(before);
  });

  test("tells of all whom a policy considered, in its order", async () => {
    const { route, ...reply } = await dryRun({ messages: MESSAGES, routingPolicy: "frugal" });
    expect(reply).toMatchObject({ provider: "openai", model: "gpt-4o-mini" });
    expect(route).toMatchObject({ policy: "routing_policy", name: "frugal" });
    expect(route?.candidates.map(({ provider, model }) => `${provider}/${model}`)).toEqual([
      "openai/gpt-4o-mini",
      "openai/gpt-4o",
      "claude/claude-sonnet-5",
    ]);
    const [first, second] = route?.candidates ?? [];
    expect(first?.estimatedPicoUsd).toBe(reply.estimatedPicoUsd);
    expect(second?.estimatedPicoUsd).toBeGreaterThan(reply.estimatedPicoUsd ?? 0n);
    expect(second?.score).toBeGreaterThan(first?.score ?? 0);
  });

  test("takes a stream for what it is", async () => {
    expect(await dryRun({ messages: MESSAGES, model: "openai/gpt-4o", stream: true })).toMatchObject({
      provider: "openai",
    });
  });

  test.each<[string, ChatInit, Code, string, string]>([
    ["no message", { model: "openai" }, Code.InvalidArgument, "invalid_request", "messages"],
    [
      "a model that there is not",
      { messages: MESSAGES, model: "gpt-0" },
      Code.NotFound,
      "unknown_model",
      "model",
    ],
    [
      "a policy that there is not",
      { messages: MESSAGES, routingPolicy: "lavish" },
      Code.InvalidArgument,
      "invalid_request",
      "routing_policy",
    ],
    [
      "a policy that nobody fits",
      { messages: MESSAGES, routingPolicy: "european" },
      Code.InvalidArgument,
      "invalid_request",
      "routing_policy",
    ],
    [
      "a policy with too little money",
      { messages: MESSAGES, routingPolicy: "penny" },
      Code.ResourceExhausted,
      "budget_exceeded",
      "routing_policy",
    ],
    [
      "what the provider cannot be told",
      { messages: MESSAGES, model: "claude/claude-sonnet-4-5", parameters: { reasoningBudgetTokens: 1 } },
      Code.InvalidArgument,
      "invalid_request",
      "parameters.reasoning_budget_tokens",
    ],
  ])("refuses as a call would: %s", async (_, request, code, kind, field) => {
    for (const ask of [at(both.url).dryRun, at(both.url).chat]) {
      const error = await ask(request).then(() => undefined, ConnectError.from);
      expect.assert(error);
      expect(error.code).toBe(code);
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: kind }]);
      expect(error.rawMessage).toContain(field);
    }
  });
});

const [caller] = CALLERS;

describe("for want of money", () => {
  const request: ChatInit = { messages: MESSAGES, model: "openai/gpt-4o", parameters: { maxTokens: 1_000 } };
  const budgeted = (limit: number, mode = "hard") => ({
    budgets: [
      { name: "team", limit_usd: limit, per: "day", mode },
      { name: "all", each: ["provider"], limit_usd: 5, per: "month", mode: "soft" },
      { name: "others", provider: "claude", limit_usd: 5, per: "month" },
    ],
  });
  const ask = (url: string, given: ChatInit = {}) => caller?.at(url).dryRun({ ...request, ...given });
  const refused = (url: string, given: ChatInit = {}) =>
    caller
      ?.at(url)
      .chat({ ...request, ...given })
      .then(() => undefined, ConnectError.from);

  test("tells the bounds of the cost, and lies between them", async () => {
    const told = await ask(both.url);
    const { minPicoUsd = 0n, estimatedPicoUsd = 0n, maxPicoUsd = 0n } = told ?? {};
    // Four words from the prompt cache and no answer, and a thousand tokens of one.
    expect(minPicoUsd).toBe(4n * 1_250_000n);
    expect(maxPicoUsd).toBeGreaterThan(1_000n * 10_000_000n);
    expect(minPicoUsd < estimatedPicoUsd && estimatedPicoUsd < maxPicoUsd).toBe(true);
    expect(told).toMatchObject({
      inputTokensProvenance: "counted",
      expectedOutputTokens: 256,
      maxOutputTokens: 1_000,
      budgets: [],
      budgetsUnavailable: false,
    });
    expect([told?.maxTokens, told?.wouldBeRefused]).toEqual([undefined, undefined]);
    expect(await ask(both.url, { model: "claude/claude-sonnet-5" })).toMatchObject({
      inputTokensProvenance: "estimated",
    });
  });

  test("tells what max_cost_usd lowers the answer to, and refuses when it affords none", async () => {
    const told = await ask(both.url, { maxCostUsd: 0.001 });
    // A thousandth of a dollar is a hundred tokens, without those that it reads.
    expect(Math.abs((told?.maxTokens ?? 0) - 95)).toBeLessThan(5);
    expect(told?.maxOutputTokens).toBe(told?.maxTokens);
    expect(told?.maxPicoUsd).toBeLessThanOrEqual(1_000_000_000n);
    const poor = { maxCostUsd: 1e-9 };
    const error = await refused(both.url, poor);
    expect((await ask(both.url, poor))?.wouldBeRefused).toMatchObject({
      kind: "budget_exceeded",
      message: error?.rawMessage,
    });
  });

  test("tells what budgets have left, the tightest first, and holds nothing", async () => {
    await using limited = await startBoth(budgeted(0.02));
    const told = await ask(limited.url);
    expect(told?.budgets).toMatchObject([
      { name: "team", scope: "", period: "day", mode: "hard", limitUsd: 0.02, spentUsd: 0, leftUsd: 0.02 },
      { name: "all", scope: "provider=openai", period: "month", mode: "soft", limitUsd: 5, leftUsd: 5 },
    ]);
    const reply = await caller?.at(limited.url).chat(request);
    const spent = reply?.cost?.actualPicoUsd ?? 0n;
    for (let time = 0; time < 3; time++) {
      const [team] = (await ask(limited.url))?.budgets ?? [];
      expect([team?.spentPicoUsd, team?.reservedPicoUsd]).toEqual([spent, 0n]);
      expect(team?.leftPicoUsd).toBe(20_000_000_000n - spent);
    }
  });

  test("tells what a budget would refuse, which a call is refused then, and counts no refusal", async () => {
    await using limited = await startBoth(budgeted(0.000_1));
    const told = await ask(limited.url);
    expect(told?.wouldBeRefused?.kind).toBe("budget_exceeded");
    expect(told?.wouldBeRefused?.message).toContain("budget team is used up");
    const counted = async () => {
      const text = await (await fetch(`${limited.url}/v1/gateway/metrics`)).text();
      return samplesOf(text, "llm_budget_refusals_total");
    };
    expect(await counted()).toEqual({});
    expect((await refused(limited.url))?.rawMessage).toBe(told?.wouldBeRefused?.message);
    expect(await counted()).toEqual({ 'budget="team"': 1 });
    expect(limited.emulator.meter.requests).toEqual([]);
  });

  test("tells of no refusal where the cache has the answer", async () => {
    await using limited = await startBoth({ ...budgeted(0.0027), cache: { enabled: true } });
    const plain: ChatInit = { messages: MESSAGES, model: "openai/gpt-4o" };
    await caller?.at(limited.url).chat(plain);
    const kept = await caller?.at(limited.url).dryRun(plain);
    expect([kept?.cache?.outcome, kept?.wouldBeRefused]).toEqual(["hit", undefined]);
    const other = await caller
      ?.at(limited.url)
      .dryRun({ ...plain, messages: [{ role: "user", content: "Who?" }] });
    expect([other?.cache?.outcome, other?.wouldBeRefused?.kind]).toEqual(["miss", "budget_exceeded"]);
  });

  test("tells that a model without a price would be refused where a budget is hard, and no cost of it", async () => {
    const unheard = { model: "openai/gpt-unheard-of" };
    expect((await ask(both.url, unheard))?.wouldBeRefused).toBeUndefined();
    await using limited = await startBoth(budgeted(1));
    const told = await ask(limited.url, unheard);
    expect(told?.wouldBeRefused?.kind).toBe("unpriced_model");
    expect([told?.minUsd, told?.estimatedUsd, told?.maxUsd]).toEqual([undefined, undefined, undefined]);
    expect((await refused(limited.url, unheard))?.rawMessage).toBe(told?.wouldBeRefused?.message);
  });

  test.runIf(hasRedis("budgets that cannot be read"))("tells it where Redis is away", async () => {
    await using redis = await startRedis();
    const surroundings = { env: { REDIS_URL: redis.url } };
    await using hard = await startBoth(budgeted(0.02), surroundings);
    await expect
      .poll(async () => (await ask(hard.url))?.budgets)
      .toMatchObject([{ name: "team", leftUsd: 0.02 }, { name: "all" }]);
    await redis.kill();
    const told = await ask(hard.url);
    expect(told).toMatchObject({ provider: "openai", budgets: [], budgetsUnavailable: true });
    expect(told?.wouldBeRefused?.kind).toBe("budget_unavailable");
    expect((await refused(hard.url))?.rawMessage).toBe(told?.wouldBeRefused?.message);
  });
});

test("counts for the rate limit as a call does", async () => {
  await using limited = await startBoth({ rate_limit: { rpm: 1 } });
  const body = JSON.stringify({ messages: MESSAGES, model: "openai/gpt-4o" });
  const ask = async (path: string) => (await http1(`${limited.url}/v1/gateway/${path}`, body)).status;
  expect(await ask("dry-run")).toBe(200);
  expect(await ask("chat")).toBe(429);
  expect(await ask("dry-run")).toBe(429);
  expect(limited.emulator.meter.requests).toEqual([]);
});

test("counts no call as cheaper that was not made", async () => {
  const request = { messages: MESSAGES, preferLowCost: true };
  expect.assert(caller);
  const counted = async () => samplesOf(await metrics(), "llm_routing_cost_optimized_total");
  const before = await counted();
  const { provider, model } = await caller.at(both.url).dryRun(request);
  expect(await counted()).toEqual(before);
  expect(await caller.at(both.url).chat(request)).toMatchObject({ provider, model });
  expect(await counted()).toMatchObject({ [`model="${model}",provider="${provider}"`]: 1 });
});

test("the models are listed with the prices of now, whatever they will cost, and so is what has none yet", async () => {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-prices-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const catalog_path = join(folder, "catalog.json");
  const row = (price: number, effective_from?: string) => ({
    input_per_1k_tokens: price,
    output_per_1k_tokens: price,
    ...(effective_from && { effective_from }),
  });
  const openai = { "gpt-4o": [row(0.001), row(0.002, "2100-01-01")], "gpt-soon": row(0.003, "2100-01-01") };
  const catalog = { version: "1", last_updated: "2026-01-01", providers: { openai } };
  writeFileSync(catalog_path, JSON.stringify(catalog));
  await using both = await startBoth({ prices: { catalog_path } });
  await http1(
    `${both.url}/v1/gateway/chat`,
    JSON.stringify({ messages: MESSAGES, model: "openai/gpt-soon" }),
  ).then((reply) => reply.text());
  const told = async (path: string) =>
    JSON.parse(await (await fetch(`${both.url}/v1/gateway/${path}`)).text());
  const { models } = await told("models?provider=openai");
  expect(models).toMatchObject([{ model: "gpt-4o", input_per_1k_tokens: 0.001 }, { model: "gpt-soon" }]);
  expect(models[1]).not.toHaveProperty("input_per_1k_tokens");
  expect((await told("status")).unpriced_models).toEqual(["openai/gpt-soon"]);
});
