/**
 * The meter test with every policy on: calls are tried again, twice at once, elsewhere, later, and broken off for
 * many reasons more; and still every attempt that a provider saw has its one row, and what was measured agrees.
 */
import { beforeAll, expect, test } from "vitest";
import { sumOf } from "../support/exposition.ts";
import { type Agreement, agreement } from "./agreement.ts";
import type { Books } from "./books.ts";
import { plansOf } from "./plans.ts";
import { policiesAt, withPolicies } from "./policies.ts";
import { playRound } from "./round.ts";

const CALLS = Math.ceil(Number(process.env.METER_CALLS ?? 10_000) / 4);
const SEED = Number(process.env.METER_SEED ?? Date.now() % 1_000_000);
const LONGEST_MS = 120_000;

let books: Books;
let result: Agreement;

beforeAll(async () => {
  const plans = withPolicies(plansOf(SEED, CALLS), SEED);
  books = await playRound(SEED, { plans, configOf: policiesAt });
  result = agreement(books);
  process.stdout.write(`\n${CALLS} calls with every policy on, METER_SEED=${SEED}\n${result.table}\n`);
}, LONGEST_MS);

test("all books agree, and nothing that broke off is booked below what was metered", () => {
  const told = result.disagreements.map(({ kind, mark, detail }) => `${mark} ${kind}: ${detail}`);
  expect(told.slice(0, 30)).toEqual([]);
});

test("every policy had something to do", () => {
  const { receipts, metrics } = books;
  const attempts = receipts.flatMap(({ receipt }) => receipt.attempts);
  const kinds = new Set(attempts.map(({ failureKind }) => failureKind));
  for (const trigger of ["first", "retry", "hedge", "fallback"])
    expect(attempts.filter((one) => one.trigger === trigger).length, trigger).toBeGreaterThan(CALLS / 100);
  expect([...kinds]).toEqual(expect.arrayContaining(["hedge_lost", "provider_timeout"]));
  const policies = new Set(receipts.map(({ receipt }) => receipt.route?.policy));
  expect([...policies]).toEqual(expect.arrayContaining(["explicit", "alias", "low_cost", "routing_policy"]));
  for (const name of [
    "llm_retries_total",
    "llm_circuit_breaker_transitions_total",
    "llm_concurrency_refused_total",
    "llm_routing_cost_optimized_total",
  ])
    expect(sumOf(metrics, name), name).toBeGreaterThan(0);
  // That both of a pair fail is seldom.
  const seldom = CALLS < 2_000 ? [] : ["failed"];
  for (const outcome of ["won", "lost", "refused", ...seldom])
    expect(sumOf(metrics, "llm_hedged_requests_total", `outcome="${outcome}"`), outcome).toBeGreaterThan(0);
});
