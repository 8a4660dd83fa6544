/** Budgets through the whole gateway: who is refused, how that is told, and what outlives a reload and a restart. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { CALLERS, type ChatInit } from "../support/callers.ts";
import { samplesOf } from "../support/exposition.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

// Reads 8 and writes 20 at most: $0.00022 on gpt-4o.
const ASK: ChatInit = {
  model: "openai/gpt-4o",
  messages: [{ role: "user", content: "Hello" }],
  parameters: { maxTokens: 20 },
};
/** Affords about ten of them. */
const DAILY = { name: "daily", limit_usd: 0.0024, per: "day" };
const [REST] = CALLERS as [(typeof CALLERS)[number]];

async function metricsOf(url: string): Promise<string> {
  return (await fetch(`${url}/v1/gateway/metrics`)).text();
}

/** Until the budget refuses; gives how often it did not. */
async function spend(url: string, headers: Record<string, string> = {}): Promise<number> {
  for (let calls = 0; calls < 50; calls++) {
    const refused = await REST.at(url)
      .chat(ASK, { headers })
      .then(() => undefined, ConnectError.from);
    if (refused) {
      expect(refused.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "budget_exceeded" }]);
      return calls;
    }
  }
  throw new Error("the budget never refused");
}

test("what is spent is refused on every protocol, with the budget's name and when it begins anew", async () => {
  await using both = await startBoth({ budgets: [{ ...DAILY, limit_usd: 0.0001 }] });
  for (const { name, at } of CALLERS) {
    const streamed = async () => {
      for await (const event of at(both.url).stream(ASK)) expect.fail(JSON.stringify(event));
    };
    for (const answer of [() => at(both.url).chat(ASK), streamed]) {
      const error = await answer().then(() => undefined, ConnectError.from);
      expect.assert(error, name);
      expect(error.code).toBe(Code.ResourceExhausted);
      expect(error.rawMessage).toMatch(
        /^budget daily is used up: \$0 of \$0\.0001 are spent, and this call needs \$0\.000\d+ at least; it begins anew at \d{4}-\d\d-\d\dT00:00:00\.000Z$/,
      );
      const [retry] = error.findDetails(RetryInfoSchema);
      expect(Number(retry?.retryDelay?.seconds)).toBeLessThanOrEqual(86_400);
    }
  }
  expect(both.emulator.meter.requests).toEqual([]);
});

test("each key has its own, by name and by tenant, and warnings are told once", async () => {
  const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");
  const keys = ["a", "b", "c"].map((name) => ({
    name,
    sha256: sha256(`key-${name}`),
    tenant: name === "c" ? "other" : "acme",
  }));
  const each = { ...DAILY, name: "each-key", each: ["key"] };
  const tenant = { name: "acme", tenant: "acme", limit_usd: 0.003, per: "month" };
  await using both = await startBoth({
    auth: { keys },
    budgets: [each, tenant],
    server: { host: "127.0.0.1" },
  });
  const of = (name: string) => ({ "x-api-key": `key-${name}` });
  const first = await spend(both.url, of("a"));
  expect(first).toBeGreaterThan(0);
  // What a left of acme's money is less than a key may spend.
  expect(await spend(both.url, of("b"))).toBeLessThan(first);
  expect(await spend(both.url, of("c"))).toBe(first);
  const metrics = await metricsOf(both.url);
  expect(samplesOf(metrics, "llm_budget_limit_usd")).toMatchObject({
    'budget="acme",scope=""': 0.003,
    'budget="each-key",scope="key=a"': 0.0024,
  });
  expect(samplesOf(metrics, "llm_budget_refusals_total")).toEqual({
    'budget="acme"': 1,
    'budget="each-key"': 2,
  });
  const warnings = both.log.events.filter(({ msg }) => String(msg).startsWith("a budget's spend"));
  expect(warnings).toContainEqual(
    expect.objectContaining({ budget: "each-key", scope: "key=a", ratio: 0.5, level: 40 }),
  );
  const told = warnings.map(({ budget, scope, ratio }) => `${budget} ${scope} ${ratio}`);
  expect(new Set(told).size).toBe(told.length);
});

test("what was spent outlives the gateway, in its ledger", async () => {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-budgets-"));
  try {
    const config = { budgets: [DAILY], ledger: { data_dir: folder } };
    let spent: Record<string, number>;
    {
      await using before = await startBoth(config);
      await spend(before.url);
      spent = samplesOf(await metricsOf(before.url), "llm_budget_spent_usd");
    }
    // The limit is another, and the budget the same.
    await using after = await startBoth({ ...config, budgets: [{ ...DAILY, limit_usd: 0.0025 }] });
    expect(await spend(after.url)).toBeLessThan(2);
    const now = samplesOf(await metricsOf(after.url), "llm_budget_spent_usd");
    expect(now['budget="daily",scope=""']).toBeGreaterThanOrEqual(spent['budget="daily",scope=""'] ?? 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("two gateways do not share a folder, and the second says so", async () => {
  await using both = await startBoth();
  const data_dir = both.gateway.config.ledger.dataDir;
  await expect(startBoth({ ledger: { data_dir } })).rejects.toThrow(/LLMGATEWAY_DATA_DIR|DATABASE_URL/);
});

test("the log tells of budgets about callers that there are none of, and of no others", async () => {
  const keys = [{ name: "nightly", sha256: "0".repeat(64), tenant: "search" }];
  const budgets = [
    { ...DAILY, name: "fine", key: "nightly", tenant: "search" },
    { ...DAILY, name: "key", key: "nightyl" },
    { ...DAILY, name: "tenant", tenant: "internal" },
    { ...DAILY, name: "both", key: "nightly", tenant: "serach" },
  ];
  const told = ({ log }: GatewayUnderTest) =>
    log.events.filter(({ msg }) => String(msg).endsWith("that nobody has: it counts nothing"));
  await using both = await startBoth({ auth: { keys }, budgets });
  expect(told(both).map(({ budget, key, tenant }) => ({ budget, key, tenant }))).toEqual([
    { budget: "key", key: "nightyl" },
    { budget: "tenant", tenant: "internal" },
    { budget: "both", key: "nightly", tenant: "serach" },
  ]);
  await using open = await startBoth({ budgets: [{ ...DAILY, key: "anonymous", tenant: "internal" }] });
  expect(told(open)).toEqual([]);
});

describe("without cost tracking", () => {
  test("nothing is priced, budgeted or booked, and the log says so", async () => {
    const env = { COST_TRACKING_ENABLED: "false" };
    await using both = await startBoth({ budgets: [{ ...DAILY, limit_usd: 1e-9 }] }, { env });
    const { cost, attempts } = await REST.at(both.url).chat(ASK);
    expect(cost).toMatchObject({ provenance: "unknown", priceVersion: "" });
    expect(attempts[0]?.lineItems).toEqual([]);
    expect(both.log.events.map(({ msg }) => msg)).toContain(
      "cost tracking is off: no call is priced, no budget kept, and no ledger",
    );
    expect(await metricsOf(both.url)).not.toContain("llm_budget_spent_usd");
    // Nor does any model lack a price.
    expect(both.log.events.filter(({ level }) => Number(level) > 30)).toHaveLength(1);
    expect(await metricsOf(both.url)).not.toContain("llm_unpriced_attempts_total{");
    const status = await (await fetch(`${both.url}/v1/gateway/status`)).json();
    expect(status).toMatchObject({ unpriced_models: [] });
  });
});

test("a model without a price is warned of once, counted, and shown in the status", async () => {
  await using both = await startBoth();
  const ask = { ...ASK, model: "openai/gpt-unheard-of" };
  for (let call = 0; call < 2; call++) {
    const { cost } = await REST.at(both.url).chat(ask);
    expect(cost?.provenance).toBe("unknown");
    expect(cost?.actualUsd).toBeUndefined();
  }
  const warnings = both.log.events.filter(
    ({ model, msg }) => model === "openai/gpt-unheard-of" && msg !== "call",
  );
  expect(warnings).toMatchObject([{ level: 40 }]);
  const status = await (await fetch(`${both.url}/v1/gateway/status`)).json();
  expect(status).toMatchObject({ unpriced_models: ["openai/gpt-unheard-of"] });
  const unpriced = samplesOf(await metricsOf(both.url), "llm_unpriced_attempts_total");
  expect(unpriced).toEqual({ 'model="gpt-unheard-of",provider="openai"': 2 });
});
