/** The same questions of a crowd at once, through the whole gateway: one call for each, and nobody bears another's limits. */
import { hash } from "node:crypto";
import { expect, test } from "vitest";
import type { ChatInit } from "../support/callers.ts";
import { CALLERS } from "../support/callers.ts";
import { samplesOf } from "../support/exposition.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { http1, http2 } from "../support/http.ts";
import { type Asked, type Asking, askAll, crowdOf } from "./crowd.ts";

const CACHE = { cache: { enabled: true } };
/** Every first word is so late, so that all have asked by then, on a busy machine too. */
const HOLD_MS = 6_000;

function question(directives: string, number = 0): ChatInit {
  const content = `[[emulate: ${directives}]] Question ${number} of the crowd`;
  return { model: "openai/gpt-4o", messages: [{ role: "user", content }] };
}

async function metricsOf({ url }: GatewayUnderTest): Promise<string> {
  return (await fetch(`${url}/v1/gateway/metrics`)).text();
}

async function atRest(both: GatewayUnderTest): Promise<string> {
  const quiet = async () => {
    const metrics = await metricsOf(both);
    const busy = Object.values(samplesOf(metrics, "llm_requests_in_flight")).filter((count) => count > 0);
    return [busy.length, both.emulator.meter.totals().open];
  };
  await expect.poll(quiet, { timeout: 20_000 }).toEqual([0, 0]);
  return metricsOf(both);
}

test("a thousand callers of all protocols, streams and whole answers, make one call", async () => {
  await using both = await startBoth(CACHE);
  const all = Array.from(
    { length: 1_000 },
    (_, index): Asking => ({
      question: 0,
      caller: index % CALLERS.length,
      streams: Math.floor(index / CALLERS.length) % 2 === 0,
      way: { kind: "stays" },
    }),
  );
  const ask = question(`first_token_ms=${HOLD_MS} tokens=40`);
  const asked = await askAll(both.url, all, () => ask);
  expect(new Set(asked.map(({ failure }) => failure))).toEqual(new Set([""]));
  expect(new Set(asked.map(({ text }) => text)).size).toBe(1);
  expect(new Set(asked.map(({ finishReason }) => finishReason))).toEqual(new Set(["stop"]));
  expect(both.emulator.meter.requests).toHaveLength(1);

  const kinds = Map.groupBy(asked, ({ told }) => told?.cacheKind ?? "none");
  const [payer, ...others] = kinds.get("") ?? [];
  expect(others).toEqual([]);
  const shared = kinds.get("coalesced") ?? [];
  expect(shared.length).toBeGreaterThan(900);
  const { requestId, cost } = payer?.told ?? {};
  for (const { told } of [...shared, ...(kinds.get("exact") ?? [])])
    expect(told).toMatchObject({
      cached: true,
      attempts: [],
      cost: { actualPicoUsd: 0n, savedPicoUsd: cost?.actualPicoUsd, savedUsd: cost?.actualUsd },
      cache: { outcome: "hit", sourceRequestId: requestId },
    });
  const metrics = await atRest(both);
  const target = 'model="gpt-4o",provider="openai"';
  expect(samplesOf(metrics, "llm_coalesced_requests_total")).toEqual({ [target]: shared.length });
  const saved = samplesOf(metrics, "llm_coalesced_savings_usd_total")[target];
  expect(saved).toBeCloseTo(shared.length * (cost?.actualUsd ?? 0), 9);
}, 120_000);

test("in a crowd that leaves, hurries, saves and dawdles everybody gets its own answer whole, or its own limit", async () => {
  await using both = await startBoth(CACHE);
  const QUESTIONS = Number(process.env.CROWD_QUESTIONS ?? 8);
  const seed = Number(process.env.CROWD_SEED ?? Date.now() % 1_000_000);
  const told = (number: number) => question("first_token_ms=2500 interval_ms=10 tokens=150", number);
  const asked = await askAll(both.url, crowdOf(seed, QUESTIONS, 600), told);
  const wholes = Array.from({ length: QUESTIONS }, (_, number) => wholeOf(asked, number));
  expect(new Set(wholes.map((text) => hash("sha256", text))).size).toBe(QUESTIONS);
  const wrong = asked.filter((one) => !isRight(one, wholes[one.question] ?? ""));
  expect(wrong, `CROWD_SEED=${seed}`).toEqual([]);
  // Those with a ceiling lead calls that nobody joins; beside them there is one for each question, unless all left.
  const own = asked.filter(({ way, told }) => way.kind === "has a ceiling" && told?.attempts.length);
  const calls = both.emulator.meter.requests.length;
  expect(calls, `CROWD_SEED=${seed}`).toBeLessThanOrEqual(own.length + 2 * QUESTIONS);
  expect(asked.filter(({ told }) => told?.cacheKind === "coalesced").length).toBeGreaterThan(50);
  expect(await atRest(both)).toContain("llm_coalesced_requests_total");
}, 120_000);

function wholeOf(asked: readonly Asked[], question: number): string {
  const texts = asked
    .filter((one) => one.question === question && one.way.kind === "stays")
    .map(({ text }) => text);
  const [text = "", ...others] = new Set(texts);
  expect(others).toEqual([]);
  expect(text).toContain(`Question ${question} of`);
  return text;
}

function isRight({ way, streams, text, finishReason, failure }: Asked, whole: string): boolean {
  const isWhole = failure === "" && finishReason === "stop" && text === whole;
  const isPart = whole.startsWith(text);
  switch (way.kind) {
    case "stays":
    case "is slow":
      return isWhole;
    case "leaves":
    case "leaves midway":
      return isWhole || (isPart && failure === "cancelled");
    case "has a deadline":
    case "has timeout_ms":
      return isWhole || (isPart && failure === "deadline_exceeded");
    case "has a ceiling":
      return isWhole || (failure === "" && finishReason === "budget_exceeded" && (isPart || !streams));
  }
}

test("who reads nothing of a long answer is left behind, and nobody waits for it", async () => {
  await using both = await startBoth({ cache: { enabled: true, max_entry_bytes: 65_536 } });
  const { model, messages } = question("first_token_ms=500 tokens=20000");
  const body = JSON.stringify({ model, messages });
  const url = `${both.url}/v1/gateway/stream`;
  const [slow, quick] = await Promise.all([http2(url, body), http1(url, body)]);
  const text = await quick.text();
  expect(text).toContain('"finish_reason":"stop"');
  expect(text.length).toBeGreaterThan(1_000_000);
  expect(await slow.text()).toContain("slow_reader");
  expect(both.emulator.meter.requests).toHaveLength(1);
}, 60_000);

const sha256 = (key: string) => hash("sha256", key);

test("a budget of one who pays cuts its own answer, and not those of others", async () => {
  const keys = ["poor", "rich"].map((name) => ({ name, sha256: sha256(name) }));
  const budgets = [{ name: "pocket", key: "poor", limit_usd: 0.0016, per: "month" }];
  await using both = await startBoth({ ...CACHE, auth: { keys }, budgets });
  const [caller] = CALLERS;
  const conversation = caller?.at(both.url);
  if (!conversation) throw new Error("there is no caller");
  const ask = question("first_token_ms=800 interval_ms=5 tokens=200");
  const as = (name: string) => ({ headers: { authorization: `Bearer ${name}` } });
  const poor = Array.fromAsync(conversation.stream(ask, as("poor")));
  await expect.poll(() => both.emulator.meter.requests.length).toBe(1);
  const rich = Array.from({ length: 5 }, () => conversation.chat(ask, as("rich")));
  const streamed = Array.fromAsync(conversation.stream(ask, as("rich")));
  expect((await poor).at(-1)).toMatchObject({ done: true, finishReason: "budget_exceeded" });
  const replies = await Promise.all(rich);
  for (const { finishReason } of replies) expect(finishReason).toBe("stop");
  expect(replies.map(({ cacheKind }) => cacheKind).sort()).toEqual(["", ...Array(4).fill("coalesced")]);
  expect((await streamed).at(-1)?.error).toMatchObject({ kind: "shared_answer_cut" });
  expect(both.emulator.meter.requests).toHaveLength(2);
}, 60_000);
