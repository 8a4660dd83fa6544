/**
 * The meter test with the cache on: the same requests of several at once, most providers misbehaving, many callers
 * leaving. Each call to a provider is one row of who led it, and what the others were spared is what it cost.
 */
import { beforeAll, expect, test, vi } from "vitest";
import { mulberry32 } from "../../src/emulator/random.ts";
import { agreement } from "../money/agreement.ts";
import type { Books, MarkedReceipt } from "../money/books.ts";
import { makeCalls } from "../money/callers.ts";
import { type Plan, plansOf } from "../money/plans.ts";
import { metricsOf, startEmulatorProcess } from "../money/rig.ts";
import { readLedger } from "../money/sqlite.ts";
import { CALLERS } from "../support/callers.ts";
import { samplesOf } from "../support/exposition.ts";
import { Home } from "../support/home.ts";
import { below } from "../support/mutation.ts";
import type { Told } from "./crowd.ts";

const QUESTIONS = Number(process.env.METER_CALLS ?? 2_400) / 12;
const SEED = Number(process.env.METER_SEED ?? Date.now() % 1_000_000);
const EACH = 12;
const CONFIG = {
  cache: { enabled: true },
  budgets: [{ name: "all", limit_usd: 1_000, per: "month", mode: "soft" }],
};

interface Round extends Books {
  /** What the gateway's log tells of each call. */
  readonly told: readonly Readonly<Record<string, unknown>>[];
  /** The question of each mark. */
  readonly questions: ReadonlyMap<string, string>;
}

let round: Round;

beforeAll(async () => {
  round = await play();
}, 300_000);

/** Of each question several, who ask at about the same time; each has a mark of its own beside the question's. */
function plans(): { plan: Plan; question: string }[] {
  const random = mulberry32(SEED);
  const chats = plansOf(SEED, 2 * QUESTIONS).filter(({ kind }) => kind !== "embed");
  return chats.slice(0, QUESTIONS).flatMap((first) =>
    Array.from({ length: EACH }, (_, index) => {
      const mark = `${first.mark}-${index}`;
      const kind = random() < 0.6 ? ("stream" as const) : ("chat" as const);
      const leaves = random() < 0.25 ? { afterMs: below(random, 250) } : undefined;
      const deadlineMs = random() < 0.1 ? 20 + below(random, 300) : undefined;
      const request = { ...first.request, metadata: { mark } };
      const caller = below(random, CALLERS.length);
      return { plan: { ...first, mark, kind, caller, leaves, deadlineMs, request }, question: first.mark };
    }),
  );
}

async function play(): Promise<Round> {
  await using emulator = await startEmulatorProcess({ chaos: 0.2, "pace-ms": 10, seed: SEED });
  using home = new Home(emulator.url);
  await using gateway = await home.start(CONFIG);
  const all = plans();
  const receipts = await makeCalls(
    gateway.url,
    all.map(({ plan }) => plan),
  );
  const rest = async () => {
    expect((await emulator.totals()).open).toBe(0);
    const busy = Object.values(samplesOf(await metricsOf(gateway), "llm_requests_in_flight"));
    expect(busy.filter((count) => count > 0)).toEqual([]);
  };
  await vi.waitFor(rest, { timeout: 20_000 });
  const metrics = await metricsOf(gateway);
  expect(await gateway.stop()).toBe(0);
  return {
    exchanges: await emulator.exchanges(),
    ...readLedger(home.data),
    receipts,
    metrics,
    told: gateway.lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "call"),
    questions: new Map(all.map(({ plan, question }) => [plan.mark, question])),
  };
}

test("what the provider metered is booked under who led the call, once", () => {
  const questionOf = (mark: string) => round.questions.get(mark) ?? mark;
  const attempts = round.attempts.map((row) => ({ ...row, mark: questionOf(row.mark) }));
  const calls = round.calls.map((row) => ({ ...row, mark: questionOf(row.mark) }));
  const { table, disagreements } = agreement({ ...round, attempts, calls, receipts: [] });
  process.stdout.write(`\n${QUESTIONS * EACH} calls, METER_SEED=${SEED}\n${table}\n`);
  expect(disagreements).toEqual([]);
});

test("every receipt agrees with its own rows", () => {
  const { disagreements } = agreement({ ...round, exchanges: [] });
  expect(disagreements.filter(({ kind }) => kind === "a receipt that differs")).toEqual([]);
  expect(round.receipts.length).toBeGreaterThan(QUESTIONS * EACH * 0.5);
});

test("what was shared saved what it cost who led it, and the metrics count that", () => {
  const receipts = round.receipts as readonly (MarkedReceipt & { readonly receipt: Told })[];
  const payers = new Map(receipts.map(({ receipt }) => [receipt.requestId, receipt]));
  const shared = receipts.filter(({ receipt }) => receipt.cacheKind === "coalesced");
  expect(shared.length).toBeGreaterThan(QUESTIONS);
  let held = 0;
  for (const { receipt } of shared) {
    expect(receipt).toMatchObject({ cached: true, attempts: [], cost: { actualPicoUsd: 0n } });
    const payer = payers.get(receipt.cache?.sourceRequestId ?? "");
    if (!payer || payer.attempts.some(({ outcome }) => outcome === "pending")) continue;
    held++;
    expect(receipt.cost?.savedPicoUsd).toBe(payer.cost?.actualPicoUsd ?? 0n);
    expect(receipt).toMatchObject({ provider: payer.provider, model: payer.model });
  }
  expect(held).toBeGreaterThan(QUESTIONS / 2);
  // Those who left have no receipt, and a line in the log all the same.
  const lines = round.told.filter(({ cache_kind }) => cache_kind === "coalesced");
  const total = (metric: string) =>
    Object.values(samplesOf(round.metrics, metric)).reduce((sum, one) => sum + one, 0);
  expect(total("llm_coalesced_requests_total")).toBe(lines.length);
  const saved = lines.reduce((sum, { saved_usd }) => sum + Number(saved_usd ?? 0), 0);
  expect(total("llm_coalesced_savings_usd_total")).toBeCloseTo(saved, 9);
});

test("who led a call and left has a row that tells what came of it", () => {
  const rows = Map.groupBy(round.attempts, ({ callId }) => callId);
  const left = round.calls.filter(({ outcome, callId }) => {
    const served = rows.get(callId)?.some((row) => row.outcome === "ok");
    return outcome !== "ok" && served;
  });
  expect(left.length).toBeGreaterThan(0);
  for (const { callId, attempts } of left) expect(attempts).toBe(rows.get(callId)?.length);
});
