/**
 * The plan's criteria for cost and traces, over a mixed workload: each request has its cost, as near to what its
 * provider metered as the plan wants it, and the id of a trace that leads from a line of a bill to its spans.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { sumOf } from "../support/exposition.ts";
import { type Kind, plannedCalls } from "./criteria-calls.ts";
import { type Played, play, type Told } from "./criteria-play.ts";
import { type Errors, errorOf, errorsOf, sumsOf } from "./criteria-table.ts";

let played: Played;
let errors: Errors;
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-criteria-"));
  try {
    played = await play(plannedCalls(), folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
  errors = errorsOf(played);
  process.stdout.write(`\n${errors.table}\n`);
});

const of = (...kinds: readonly Kind[]) => played.told.filter(({ planned }) => kinds.includes(planned.kind));
const name = ({ planned }: Pick<Told, "planned">) =>
  `${planned.mark}, ${planned.kind} of ${planned.provider}`;

describe("the cost of every request", () => {
  test("is in its reply, in the log and in the ledger, and the same in all of them", () => {
    for (const told of played.told) {
      const { event, summary, receipt, planned } = told;
      expect(summary?.provenance === "unknown", name(told)).toBe(planned.kind === "no price");
      expect(summary?.costPicoUsd === undefined, name(told)).toBe(planned.kind === "no price");
      expect(event.cost_pico_usd, name(told)).toBe(summary?.costPicoUsd?.toString());
      if (receipt) expect(receipt.cost?.actualPicoUsd, name(told)).toBe(summary?.costPicoUsd);
    }
    // Who left has no reply, and who was refused spent nothing that a receipt could tell of.
    const without = played.told.filter(({ receipt }) => !receipt);
    expect(kindsOf(without)).toEqual(new Set<Kind>(["caller left", "no such model", "too dear"]));
  });

  test("is nothing where no provider was asked, or refused, and says what a cached answer saved", () => {
    for (const { summary, event } of of("no such model", "too dear"))
      expect({ ...summary, logged: event.cost_usd }).toMatchObject({
        costPicoUsd: 0n,
        attempts: 0,
        outcome: "failed",
        logged: 0,
      });
    for (const { summary } of of("provider refused"))
      expect(summary).toMatchObject({ costPicoUsd: 0n, attempts: 1, outcome: "failed" });
    for (const { summary } of of("cache hit")) {
      expect(summary).toMatchObject({ costPicoUsd: 0n, attempts: 0, cacheKind: "exact" });
      expect(summary?.savedPicoUsd).toBeGreaterThan(0n);
    }
    for (const { summary } of of("fallback")) expect(summary).toMatchObject({ attempts: 2, outcome: "ok" });
  });

  test("is never nothing where it is not known, and an alarm tells of it", () => {
    const unpriced = of("no price");
    expect(unpriced.map(({ receipt }) => receipt?.cost?.provenance)).toEqual(unpriced.map(() => "unknown"));
    expect(sumOf(played.metrics, "llm_unpriced_attempts_total")).toBe(unpriced.length);
  });

  test("is what was metered, to the pico-dollar, where the provider said it", () => {
    expect(errors.unbooked).toEqual([]);
    const measured = errors.lines.filter(({ row }) => row.provenance === "measured");
    expect(measured.filter(({ meteredPicoUsd, bookedPicoUsd }) => meteredPicoUsd !== bookedPicoUsd)).toEqual(
      [],
    );
    expect(measured.length).toBeGreaterThan(0.9 * errors.lines.length);
  });

  test("is within 5 % of what was metered, all together and in the metrics", () => {
    const { meteredPicoUsd, bookedPicoUsd } = sumsOf(errors.lines);
    expect(Math.abs(errorOf(meteredPicoUsd, bookedPicoUsd))).toBeLessThan(MOST);
    const booked = played.attempts.reduce((sum, { costPicoUsd = 0n }) => sum + costPicoUsd, 0n);
    expect(booked).toBe(bookedPicoUsd);
    expect(sumOf(played.metrics, "llm_cost_usd_total")).toBeCloseTo(Number(booked) / 1e12, 9);
  });

  test("is within 5 % where an answer came whole and its provider counted nothing", () => {
    const whole = linesOf("usage not told", "usage of a stream not told");
    expect(new Set(whole.map(({ row }) => row.provenance))).toEqual(new Set(["estimated"]));
    // OpenAI's are counted by their own tokenizers, and the emulator's tokens are words.
    const learnt = sumsOf(whole.filter(({ planned }) => planned.provider !== "openai"));
    expect(Math.abs(errorOf(learnt.meteredPicoUsd, learnt.bookedPicoUsd))).toBeLessThan(MOST);
  });

  test("is never below what was metered where an answer broke off", () => {
    const broken = linesOf("caller left", "cut off");
    expect(broken).toHaveLength(of("caller left", "cut off").length);
    for (const { row, meteredPicoUsd, bookedPicoUsd, planned } of broken) {
      expect(row.provenance, name({ planned })).toBe("estimated");
      expect(bookedPicoUsd, name({ planned })).toBeGreaterThanOrEqual(meteredPicoUsd);
    }
  });
});

describe("the trace of every request", () => {
  test("is named in its reply, whatever became of it, and is the caller's where that has one", () => {
    for (const told of played.told) {
      const [, trace] = traceOf(told);
      expect(trace, name(told)).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
      if (told.planned.trace) expect(trace, name(told)).toBe(told.planned.trace);
    }
    expect(new Set(played.told.map((told) => traceOf(told)[1])).size).toBe(played.told.length);
  });

  test("leads from the ledger and from the log to it", () => {
    for (const told of played.told) {
      const [, traceId, span_id, trace_flags] = traceOf(told);
      expect(told.summary?.traceId, name(told)).toBe(traceId);
      expect(told.event, name(told)).toMatchObject({ trace_id: traceId, span_id, trace_flags });
    }
  });
});

/** What the plan allows. */
const MOST = 0.05;

function linesOf(...kinds: readonly Kind[]) {
  return errors.lines.filter(({ planned }) => kinds.includes(planned.kind));
}

function kindsOf(told: readonly Told[]): Set<Kind> {
  return new Set(told.map(({ planned }) => planned.kind));
}

/** The parts of its `traceparent`. */
function traceOf({ headers }: Told): readonly (string | undefined)[] {
  return headers.get("traceparent")?.split("-") ?? [];
}
