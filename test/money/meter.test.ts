/**
 * The meter test: thousands of calls at once, of every kind, to every provider, most of whom misbehave, for callers of
 * whom many leave. Afterwards the provider's meter, the rows, the receipts and the metrics agree, to the pico-dollar.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { type Agreement, agreement, type Disagreement, type Kind } from "./agreement.ts";
import type { AttemptRow, Books } from "./books.ts";
import { plansOf } from "./plans.ts";
import { costOf } from "./prices.ts";
import { playRound } from "./round.ts";

const CALLS = Number(process.env.METER_CALLS ?? 10_000);
/** Another one each time; a failure names it. */
const SEED = Number(process.env.METER_SEED ?? Date.now() % 1_000_000);
/** About 45 s on a machine at rest. */
const LONGEST_MS = 300_000;

let books: Books;
let result: Agreement;

beforeAll(async () => {
  books = await playRound(SEED, { plans: plansOf(SEED, CALLS) });
  result = agreement(books);
  process.stdout.write(`\n${CALLS} calls, METER_SEED=${SEED}\n${result.table}\n`);
}, LONGEST_MS);

test("every attempt has exactly one row, and all that was measured agrees", () => {
  expect(told(({ kind }) => kind !== BELOW)).toEqual([]);
});

test("nothing that broke off is booked below what was metered", () => {
  expect(told(({ kind }) => kind === BELOW)).toEqual([]);
});

test("the round was hard enough", () => {
  const { exchanges, attempts, receipts } = books;
  for (const outcome of ["served", "cut", "aborted", "error"])
    expect(exchanges.filter((one) => one.outcome === outcome).length, outcome).toBeGreaterThan(CALLS / 100);
  const measured = attempts.filter(({ provenance }) => provenance === "measured");
  expect(measured.length).toBeGreaterThan(CALLS / 2);
  expect(measured.filter(({ cachedInputTokens }) => cachedInputTokens > 0).length).toBeGreaterThan(0);
  expect(exchanges.filter((one) => one.cacheWrite1hTokens > 0).length).toBeGreaterThan(0);
  expect(exchanges.filter((one) => one.reasoningTokens > 0).length).toBeGreaterThan(CALLS / 100);
  expect(receipts.length).toBeGreaterThan(CALLS / 2);
});

describe("a fault in the books is found:", () => {
  test("one row is missing", () => {
    const row = found(({ provenance }) => provenance === "measured");
    expect(newIn({ attempts: without(row) })).toContainEqual(about("no row", row));
  });

  test("one cached token is priced as a fresh one", () => {
    const none = { inputTokens: 0, cachedInputTokens: 0, cacheWriteTokens: 0, cacheWrite1hTokens: 0 };
    const cost = ({ provider, model }: AttemptRow, cachedInputTokens: number) =>
      costOf(provider, model, { ...none, inputTokens: 1, cachedInputTokens, outputTokens: 0 }) ?? 0n;
    // Some models are priced alike for both: of those there is no wrong price.
    const row = found(
      (one) => one.cachedInputTokens > 0 && one.provenance === "measured" && cost(one, 0) !== cost(one, 1),
    );
    const costPicoUsd = (row.costPicoUsd ?? 0n) - cost(row, 1) + cost(row, 0);
    const lineItems = undefined;
    const wrong = { attempts: [...without(row), { ...row, costPicoUsd, lineItems }] };
    expect(newIn(wrong)).toContainEqual(about("measured, but not as metered", row));
  });

  test("one aborted stream was not booked", () => {
    const left = new Set(
      books.exchanges.filter(({ outcome }) => outcome === "aborted").map(({ mark }) => mark),
    );
    const rows = Map.groupBy(books.attempts, ({ mark }) => mark);
    // Of several attempts at a call another row would be taken for it.
    const row = found(({ mark }) => left.has(mark) && rows.get(mark)?.length === 1);
    expect(newIn({ attempts: without(row) })).toContainEqual(about("no row", row));
  });

  test("one reservation is left open", () => {
    const row = found(() => true);
    const open: AttemptRow = { ...row, state: "open", costPicoUsd: undefined, reservedPicoUsd: 1n };
    expect(newIn({ attempts: [...without(row), open] })).toContainEqual(about("left open", row));
    const spentPicoUsd = books.attempts.reduce((sum, { costPicoUsd = 0n }) => sum + costPicoUsd, 0n);
    const budget = { name: "all", spentPicoUsd, reservedPicoUsd: 1n };
    expect(newIn({ budgets: [budget] })).toMatchObject([{ kind: "left open", mark: "" }]);
    expect(newIn({ budgets: [{ ...budget, reservedPicoUsd: 0n }] })).toEqual([]);
    const short = { ...budget, reservedPicoUsd: 0n, spentPicoUsd: spentPicoUsd - 1n };
    expect(newIn({ budgets: [short] })).toMatchObject([{ kind: "a budget that differs" }]);
  });

  test("one row is there twice", () => {
    const row = found(({ provenance, outcome }) => provenance === "measured" && outcome === "ok");
    const again = { ...row, callId: "another", number: row.number + 1 };
    expect(newIn({ attempts: [...books.attempts, again] })).toContainEqual(about("a row too many", row));
  });

  test("one estimate is below what was metered", () => {
    // Of a call with several attempts another may stand in for it, and what wrote nothing may have cost nothing.
    const single = Map.groupBy(books.exchanges, ({ mark }) => mark);
    const wrote = (mark: string) => {
      const [one, ...others] = single.get(mark) ?? [];
      return others.length === 0 && one?.outcome === "aborted" && one.outputTokens > 0;
    };
    const row = found((one) => one.outcome !== "ok" && (one.costPicoUsd ?? 0n) > 0n && wrote(one.mark));
    const low = { ...row, costPicoUsd: 0n, lineItems: undefined };
    const all = agreement({ ...books, attempts: [...without(row), low] }).disagreements;
    expect(all).toContainEqual(about(BELOW, row));
  });

  test("one receipt is a pico-dollar off", () => {
    const [told, ...others] = books.receipts.filter(({ receipt }) => receipt.attempts[0]?.actualPicoUsd);
    const [attempt] = told?.receipt.attempts ?? [];
    if (!told || !attempt) throw new Error("there is no receipt");
    const dearer = { ...attempt, actualPicoUsd: (attempt.actualPicoUsd ?? 0n) + 1n };
    const receipt = { ...told.receipt, attempts: [dearer] };
    expect(newIn({ receipts: [{ ...told, receipt }, ...others] })).toMatchObject([
      { kind: "a receipt that differs", mark: told.mark },
    ]);
  });

  test("one metric is a token off", () => {
    const metrics = books.metrics.replace(
      /^(llm_tokens_total\{.*\}) (\d+)$/m,
      (_, series: string, count: string) => `${series} ${Number(count) + 1}`,
    );
    expect(newIn({ metrics })).toMatchObject([{ kind: "a metric that differs" }]);
  });
});

const BELOW: Kind = "below what was metered";

/** The first ones in words, and how many there are. */
function told(isSo: (one: Disagreement) => boolean): string[] {
  const all = result.disagreements.filter(isSo);
  const words = all.slice(0, 20).map(({ kind, mark, detail }) => `${mark} ${kind}: ${detail}`);
  return all.length > words.length ? [`${all.length} in all`, ...words] : words;
}

/** What is found in books that differ from the round's in this, and not in those. */
function newIn(changed: Partial<Books>): Disagreement[] {
  const known = new Set(result.disagreements.map(({ kind, mark, detail }) => `${kind} ${mark} ${detail}`));
  const all = agreement({ ...books, ...changed }).disagreements;
  return all.filter(({ kind, mark, detail }) => !known.has(`${kind} ${mark} ${detail}`));
}

function found(isSo: (row: AttemptRow) => boolean): AttemptRow {
  const served = new Set(books.exchanges.map(({ mark }) => mark));
  const row = books.attempts.find((one) => served.has(one.mark) && isSo(one));
  if (!row) throw new Error("the round has no such row");
  return row;
}

function without(row: AttemptRow): AttemptRow[] {
  return books.attempts.filter((one) => one !== row);
}

function about(kind: Kind, { mark }: AttemptRow): object {
  return expect.objectContaining({ kind, mark });
}
