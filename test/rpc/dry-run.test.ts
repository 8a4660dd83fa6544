/** What would become of a request, by every way in: told without a call, a row or money held. */
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { CALLERS, type ChatInit } from "../support/callers.ts";
import { samplesOf } from "../support/exposition.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";

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
    expect(reply.estimatedPicoUsd).toBe(BigInt(reply.inputTokens) * 2_500_000n + 100n * 10_000_000n);
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
      "a call with too little money",
      { messages: MESSAGES, model: "openai/gpt-4o", maxCostUsd: 1e-9 },
      Code.ResourceExhausted,
      "budget_exceeded",
      "max_cost_usd",
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
  const [caller] = CALLERS;
  expect.assert(caller);
  const counted = async () => samplesOf(await metrics(), "llm_routing_cost_optimized_total");
  const before = await counted();
  const { provider, model } = await caller.at(both.url).dryRun(request);
  expect(await counted()).toEqual(before);
  expect(await caller.at(both.url).chat(request)).toMatchObject({ provider, model });
  expect(await counted()).toMatchObject({ [`model="${model}",provider="${provider}"`]: 1 });
});
