/** What is asked of whoever is cheapest, through the whole gateway: what it saves, and what becomes of it in trouble. */
import { expect, test } from "vitest";
import { lowCost } from "../faults/low-cost.ts";
import { samplesOf } from "../support/exposition.ts";
import { type Configuration, startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";

const POLICY = { prefer: ["openai/gpt-4o", "mistral", "openai/gpt-4o-mini"], optimize: "cost" };
const STEEP = { prefer: ["openai/gpt-4o", "mistral"], optimize: "cost" };
const ONCE = { resilience: { retries: { max: 0 }, hedging: { enabled: false } } };

async function ask(url: string, request: object, path = "chat") {
  const body = { messages: [{ role: "user", content: "What is a gateway?" }], ...request };
  const reply = await http1(`${url}/v1/gateway/${path}`, JSON.stringify(body));
  return { status: reply.status, json: JSON.parse(await reply.text()) };
}

/** Nobody listens where its cheapest provider should be. */
function withMistralDown(more: Configuration = {}): Configuration {
  const mistral = { base_url: "http://127.0.0.1:1/v1" };
  return { ...ONCE, ...more, providers: { mistral }, routing_policies: { frugal: POLICY, steep: STEEP } };
}

test("saves a fifth of what fixed targets cost, and answers as many", { timeout: 120_000 }, async () => {
  const { requests, fixed, lowCost: cheapest, saved } = await lowCost();
  const told = ({ usd, served }: typeof fixed) => `$${usd.toFixed(4)} ${JSON.stringify(served)}`;
  console.log(`${requests} requests\n fixed    ${told(fixed)}\n low cost ${told(cheapest)}`);
  expect(fixed.succeeded).toBe(requests);
  expect(cheapest.succeeded).toBe(requests);
  expect(Object.keys(fixed.served)).toHaveLength(4);
  expect(saved).toBeGreaterThanOrEqual(0.2);
});

test("goes up in cost where the cheapest is down", async () => {
  await using both = await startBoth(withMistralDown());
  const { status, json } = await ask(both.url, { routing_policy: "frugal" });
  expect(status).toBe(200);
  expect(json.route.candidates.map(({ model }: { model: string }) => model)).toEqual([
    "mistral-small-latest",
    "gpt-4o-mini",
    "gpt-4o",
  ]);
  expect(json.attempts).toMatchObject([
    { provider: "mistral", outcome: "failed", trigger: "first" },
    { provider: "openai", model: "gpt-4o-mini", outcome: "ok", trigger: "fallback" },
  ]);
});

test("but not beyond what the call may cost", async () => {
  await using both = await startBoth(withMistralDown());
  const messages = [{ role: "user", content: "What is a gateway? ".repeat(200) }];
  const request = { messages, routing_policy: "steep", parameters: { max_tokens: 1 } };
  const plan = await ask(both.url, request, "dry-run");
  // Enough for the most that the cheapest may read, and for no word of the next.
  const limited = { ...request, max_cost_usd: plan.json.estimated_usd * 3 };
  const { json } = await ask(both.url, limited, "dry-run");
  const dear = { eligible: false, reason: expect.stringMatching(/^max_cost_usd affords no reply there/) };
  expect(json.route.candidates).toMatchObject([
    { provider: "mistral", eligible: true },
    { model: "gpt-4o", ...dear },
  ]);
  expect(await ask(both.url, limited)).toMatchObject({ status: 503, json: { code: "unavailable" } });
  expect(both.emulator.meter.requests).toEqual([]);
  expect((await ask(both.url, request)).status).toBe(200);
});

test("leaves those for last whose circuits are open, and says so", async () => {
  const circuit_breaker = { min_calls: 3 };
  const resilience = { ...ONCE.resilience, circuit_breaker };
  await using both = await startBoth(withMistralDown({ resilience }));
  for (let call = 0; call < 3; call++) await ask(both.url, { routing_policy: "frugal" });
  const { json } = await ask(both.url, { routing_policy: "frugal" });
  expect(json.attempts).toMatchObject([{ model: "gpt-4o-mini", outcome: "ok", trigger: "first" }]);
  expect(json.route.candidates.at(-1)).toMatchObject({
    provider: "mistral",
    eligible: true,
    reason: expect.stringMatching(/its circuit is open$/),
  });
});

test("counts what cost less than it would have elsewhere, and asks no mock", async () => {
  await using both = await startBoth(ONCE);
  const { json } = await ask(both.url, { prefer_low_cost: true });
  const { provider, model, route } = json;
  expect(route).toMatchObject({ policy: "low_cost", name: "low_cost" });
  expect(route.candidates.map((one: { provider: string }) => one.provider)).not.toContain("mock");
  const metrics = await (await fetch(`${both.url}/v1/gateway/metrics`)).text();
  expect(samplesOf(metrics, "llm_routing_cost_optimized_total")).toEqual({
    [`model="${model}",provider="${provider}"`]: 1,
  });
});

test("reckons with what the target of a session has in its cache", async () => {
  await using both = await startBoth({
    ...ONCE,
    routing_policies: { either: { prefer: ["gemini", "claude/claude-haiku-4-5"], optimize: "cost" } },
  });
  const content = "A long conversation. ".repeat(500);
  const messages = [{ role: "user", content }];
  const request = { messages, routing_policy: "either", session_id: "s", parameters: { max_tokens: 10 } };
  const costs = async () => {
    const { json } = await ask(both.url, request, "dry-run");
    const costOf = (one: { provider: string; estimated_usd: number }) => [one.provider, one.estimated_usd];
    return Object.fromEntries(json.route.candidates.map(costOf));
  };
  const before = await costs();
  const { json } = await ask(both.url, request);
  const after = await costs();
  expect(json.provider).toBe("gemini");
  expect(after.gemini).toBeLessThan(0.5 * before.gemini);
  expect(after.claude).toBe(before.claude);
});
