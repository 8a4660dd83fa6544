import { expect, test } from "vitest";
import { FAILURES, Failure, type FailureKind } from "../../src/core/failure.ts";
import { againAfter, againWithRoom } from "../../src/jobs/again.ts";

const least = () => 0;

function after(kind: FailureKind, run = 1, details: { retryAfterMs?: number } = {}, random = least) {
  return againAfter(new Failure(kind, "it failed", details), run, 8, random);
}

test("what is the provider's fault comes again, and nothing that another run would meet too", () => {
  const kinds = Object.keys(FAILURES) as FailureKind[];
  const again = kinds.filter((kind) => after(kind)?.counted);
  // An open circuit is the provider's fault as well, but nobody was asked.
  const faults = kinds.filter((kind) => FAILURES[kind].faultOf === "provider" && kind !== "circuit_open");
  expect(again.toSorted()).toEqual(faults.toSorted());
});

test("what the gateway itself refuses for now costs no run, however often it does", () => {
  expect(after("rate_limited", 100)).toEqual({ afterMs: 1_000, counted: false });
  expect(after("budget_unavailable", 100)).toEqual({ afterMs: 5_000, counted: false });
  expect(after("circuit_open", 100)).toEqual({ afterMs: 5_000, counted: false });
  expect(after("concurrency_limited", 100)).toEqual({ afterMs: 1_000, counted: false });
  // What was shared with others went on without it.
  expect(after("slow_reader", 100)).toEqual({ afterMs: 1_000, counted: false });
  expect(after("shared_answer_cut", 100)).toEqual({ afterMs: 1_000, counted: false });
});

test("each wait is twice the one before, and none longer than five minutes", () => {
  const waits = [1, 2, 3, 7].map((run) => after("provider_overloaded", run)?.afterMs);
  expect(waits).toEqual([5_000, 10_000, 20_000, 300_000]);
});

test("it waits as long as the provider wants, but never less than it would by itself", () => {
  expect(after("provider_rate_limited", 1, { retryAfterMs: 90_000 })?.afterMs).toBe(90_000);
  expect(after("provider_rate_limited", 1, { retryAfterMs: 10 })?.afterMs).toBe(5_000);
  expect(after("rate_limited", 1, { retryAfterMs: 7_000 })?.afterMs).toBe(7_000);
  // A provider may know that it is away for longer than anybody would wait by himself.
  expect(after("provider_overloaded", 1, { retryAfterMs: 3_600_000 })?.afterMs).toBe(3_600_000);
});

test("for room at a provider it waits for minutes, the longer the older it is, and costs no run", () => {
  const waits = [0, 240_000, 600_000, 3_600_000, 86_400_000].map((ageMs) => againWithRoom(ageMs, least));
  expect(waits).toEqual(
    [120_000, 120_000, 300_000, 1_800_000, 1_800_000].map((afterMs) => ({ afterMs, counted: false })),
  );
  expect(againWithRoom(0, () => 1)?.afterMs).toBe(180_000);
});

test("it waits for no longer than a day, whatever a provider says", () => {
  const nonsense = { retryAfterMs: 40_000_000_000 };
  expect(after("provider_rate_limited", 1, nonsense, () => 1)?.afterMs).toBe(86_400_000);
  expect(after("circuit_open", 1, nonsense)?.afterMs).toBe(86_400_000);
});

test("jobs that failed together come back apart, by up to half the wait", () => {
  expect(after("cut", 1, {}, () => 0.5)?.afterMs).toBe(1_250);
  expect(after("cut", 1, {}, () => 1)?.afterMs).toBe(1_500);
});

test("the last run of all is not followed by another", () => {
  expect(after("cut", 7)).toBeDefined();
  expect(after("cut", 8)).toBeUndefined();
});
