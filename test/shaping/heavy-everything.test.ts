/**
 * The meter test with everything on: templates, moderation, experiments and their copies, comparisons, both caches,
 * callers' own keys, budgets and every policy, most providers misbehaving and many callers leaving. Every attempt that a
 * provider saw is still one row, and whoever is told what something cost or saved is told what the rows say.
 */
import { beforeAll, expect, test } from "vitest";
import type { Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { agreement } from "../money/agreement.ts";
import type { AttemptRow, Books, CallRow, MarkedReceipt } from "../money/books.ts";
import { COMPARED } from "../money/callers.ts";
import { playRound } from "../money/round.ts";
import { samplesOf, sumOf } from "../support/exposition.ts";
import { type Asking, EMBEDDER, everythingAt, everythingOf, TIGHT } from "./everything.ts";
import type { Told } from "./world.ts";

const CALLS = Number(process.env.METER_CALLS ?? 3_000);
const SEED = Number(process.env.METER_SEED ?? Date.now() % 1_000_000);

let books: Books;
let asked: ReadonlyMap<string, Asking>;
let trial: Told;

beforeAll(async () => {
  asked = everythingOf(SEED, CALLS);
  books = await playRound(SEED, {
    plans: [...asked.values()].map(({ plan }) => plan),
    configOf: everythingAt,
    async look(url) {
      const reply = await fetch(`${url}/v1/gateway/experiments?name=trial`);
      const { experiments } = (await reply.json()) as { experiments: [Told] };
      [trial] = experiments;
    },
  });
}, 300_000);

test("what the providers metered is booked once, under who asked, and nothing is left open", () => {
  const mark = (row: AttemptRow | CallRow) => asked.get(ownMark(row.mark))?.question ?? row.mark;
  const attempts = books.attempts.map((row) => ({ ...row, mark: mark(row) }));
  const calls = books.calls.map((row) => ({ ...row, mark: mark(row) }));
  const budgets = (books.budgets ?? []).filter(({ name }) => name.includes('"all"'));
  expect(budgets).toHaveLength(1);
  const exchanges = books.exchanges.filter((one) => !isModeration(one));
  const { table, disagreements } = agreement({ ...books, exchanges, attempts, calls, budgets, receipts: [] });
  process.stdout.write(`\n${asked.size} calls with everything on, METER_SEED=${SEED}\n${table}\n`);
  expect(words(disagreements)).toEqual([]);
});

test("to have a text moderated is no attempt, and costs nothing", () => {
  const looked = books.exchanges.filter(isModeration);
  expect(looked.length).toBeGreaterThan(CALLS / 20);
  expect(looked.filter(({ inputTokens, outputTokens }) => inputTokens + outputTokens > 0)).toEqual([]);
  expect(books.attempts.filter(({ model }) => model.includes("moderation"))).toEqual([]);
});

test("every receipt agrees with its own rows, that of each model in a comparison too", () => {
  const own = Map.groupBy(books.attempts, ({ callId }) => callId);
  const routes = new Map(books.calls.map(({ callId, route }) => [callId, route]));
  const attempts = books.attempts.map((row) => {
    if (routes.get(row.callId) !== "compare") return row;
    const model = own
      .get(row.callId)
      ?.map(nameOf)
      .find((name) => name !== EMBEDDER);
    return { ...row, mark: `${row.mark}${COMPARED}${model}` };
  });
  const receipts = books.receipts.flatMap(apart);
  const { disagreements } = agreement({ ...books, exchanges: [], attempts, receipts });
  expect(words(disagreements.filter(({ kind }) => kind === "a receipt that differs"))).toEqual([]);
  expect(books.receipts.length).toBeGreaterThan(CALLS / 2);
});

test("what was answered without a call of its own saved what the answer cost, and all count it alike", () => {
  const rows = Map.groupBy(books.attempts, ({ callId }) => callId);
  const payers = new Map<string, CallRow>();
  for (const call of books.calls)
    for (const { provider, model } of rows.get(call.callId) ?? [])
      payers.set(`${call.mark} ${provider}/${model}`, call);
  const held = new Map<string, number>();
  for (const { mark, receipt } of books.receipts as readonly Given[]) {
    const { cached, cacheKind, cost, attempts, cache } = receipt;
    if (!cached) {
      expect(cost?.savedPicoUsd, mark).toBe(0n);
      continue;
    }
    expect(
      attempts.every(({ trigger }) => trigger === "semantic_cache"),
      mark,
    ).toBe(true);
    const payer = payers.get(`${cache?.sourceRequestId} ${receipt.provider}/${receipt.model}`);
    const paid = (payer && rows.get(payer.callId))?.filter((row) => nameOf(row) !== EMBEDDER) ?? [];
    // What others than the one that answered came to may have been known only later.
    if (paid.length !== 1) continue;
    expect(cost?.savedPicoUsd, `${mark} ${cacheKind} of ${payer?.mark}`).toBe(paid[0]?.costPicoUsd ?? 0n);
    held.set(cacheKind, (held.get(cacheKind) ?? 0) + 1);
  }
  for (const kind of ["exact", "semantic", "coalesced", "idempotent"])
    expect(held.get(kind) ?? 0, kind).toBeGreaterThan(CALLS / 500);
  const saved = books.calls.reduce((sum, { savedPicoUsd = 0n }) => sum + savedPicoUsd, 0n);
  const counted = ["llm_cache_savings_usd_total", "llm_coalesced_savings_usd_total"];
  const usd = counted.reduce((sum, name) => sum + sumOf(books.metrics, name), 0);
  expect(Math.round(usd * 1e12)).toBe(Number(saved));
});

test("an experiment's figures are those of its calls, and a copy's cost is that of its rows", () => {
  // Who left before the end says nothing of a variant.
  const stayed = books.calls.filter(({ outcome }) => outcome !== "abandoned");
  const calls = Map.groupBy(stayed, ({ variant }) => variant);
  for (const { name, requests } of trial.variants)
    expect(Number(requests), name).toBe(calls.get(`trial/${name}`)?.length ?? 0);
  expect(trial.variants.map(({ requests }) => Number(requests)).every((count) => count > CALLS / 100)).toBe(
    true,
  );
  for (const { name, copies, cost_pico_usd } of trial.shadows) {
    const own = calls.get(`trial/${name}`) ?? [];
    expect(own.every(({ route, mark }) => route === "shadow" && asked.has(ownMark(mark)))).toBe(true);
    expect(Number(copies), String(name)).toBe(own.length);
    expect(own.length, String(name)).toBeGreaterThan(CALLS / 100);
    expect(BigInt(String(cost_pico_usd))).toBe(
      own.reduce((sum, { costPicoUsd = 0n }) => sum + costPicoUsd, 0n),
    );
  }
});

test("a tight budget holds through all of it", () => {
  const tight = books.budgets?.find(({ name }) => name.includes('"tight"'));
  const poor = books.attempts.filter(({ mark }) => asked.get(mark)?.isPoor);
  const booked = poor.reduce((sum, { costPicoUsd = 0n }) => sum + costPicoUsd, 0n);
  expect(tight).toMatchObject({ spentPicoUsd: booked, reservedPicoUsd: 0n });
  expect(booked).toBeLessThanOrEqual(BigInt(TIGHT.limit_usd * 1e12));
  expect(sumOf(books.metrics, "llm_failures_total", 'kind="budget_exceeded"')).toBeGreaterThan(0);
});

test("nothing is booked beyond what was held ready for it", () => {
  const beyond = books.attempts.filter(
    ({ costPicoUsd = 0n, reservedPicoUsd }) => reservedPicoUsd !== undefined && costPicoUsd > reservedPicoUsd,
  );
  expect(beyond).toEqual([]);
  expect(
    books.attempts.filter(({ reservedPicoUsd }) => reservedPicoUsd !== undefined).length,
  ).toBeGreaterThan(0);
});

test("nobody's ceiling was passed by what was measured", () => {
  const estimated = new Set(
    books.attempts.flatMap(({ callId, provenance }) => (provenance === "measured" ? [] : [callId])),
  );
  const limited = books.calls.flatMap((call) => {
    const usd = asked.get(call.mark)?.plan.request.maxCostUsd;
    return usd === undefined || call.attempts === 0 || estimated.has(call.callId) ? [] : { ...call, usd };
  });
  expect(limited.length).toBeGreaterThan(CALLS / 100);
  const passed = limited.filter(({ usd, costPicoUsd = 0n }) => costPicoUsd > BigInt(Math.round(usd * 1e12)));
  expect(passed.map(({ mark, costPicoUsd }) => `${mark} ${costPicoUsd}`)).toEqual([]);
});

test("everything had something to do", () => {
  const { receipts, metrics, exchanges } = books;
  for (const outcome of ["served", "cut", "aborted", "error"])
    expect(exchanges.filter((one) => one.outcome === outcome).length, outcome).toBeGreaterThan(CALLS / 100);
  const attempts = receipts.flatMap(({ receipt }) => receipt.attempts);
  for (const trigger of ["first", "retry", "hedge", "fallback", "semantic_cache"])
    expect(attempts.filter((one) => one.trigger === trigger).length, trigger).toBeGreaterThan(CALLS / 200);
  const given = receipts as readonly Given[];
  for (const name of ["plain", "tried"])
    expect(given.filter(({ receipt }) => receipt.template?.name === name).length, name).toBeGreaterThan(
      CALLS / 100,
    );
  for (const hook of ["pii", "secrets", "asked", "said", "masked", "lenient", "strict"])
    expect(sumOf(metrics, "llm_moderation_total", `hook="${hook}"`), hook).toBeGreaterThan(0);
  expect(sumOf(metrics, "llm_moderation_total", 'stage="stream"')).toBeGreaterThan(0);
  expect(Object.keys(samplesOf(metrics, "llm_moderation_total")).join()).toContain('action="skipped"');
  expect(receipts.filter(({ mark }) => mark.includes(COMPARED)).length).toBeGreaterThan(CALLS / 100);
});

type Given = MarkedReceipt & { readonly receipt: Receipt };

/** Copies are sent under the id of the call that they are copies of. */
function ownMark(mark: string): string {
  return mark.replace(/\.shadow$/, "");
}

function nameOf({ provider, model }: { readonly provider: string; readonly model: string }): string {
  return `${provider}/${model}`;
}

function isModeration({ path }: Books["exchanges"][number]): boolean {
  return path.endsWith("/moderations");
}

/** Of a comparison, one for each model, without what was looked up for it: no row tells for which of them that was. */
function apart({ mark, receipt }: MarkedReceipt): MarkedReceipt[] {
  if (!mark.includes(COMPARED)) return [{ mark, receipt }];
  const own = receipt.attempts.filter(({ trigger }) => trigger !== "semantic_cache");
  const [question = ""] = mark.split(COMPARED);
  return [...Map.groupBy(own, nameOf)].map(([name, attempts]) => ({
    mark: `${question}${COMPARED}${name}`,
    receipt: { ...receipt, attempts },
  }));
}

function words(all: ReturnType<typeof agreement>["disagreements"]): string[] {
  return all.slice(0, 20).map(({ kind, mark, detail }) => `${mark} ${kind}: ${detail}`);
}
