/**
 * The plan's criteria for cost and traces, over a mixed workload: each request has its cost, as near to what its
 * provider metered as the plan wants it, and the id of a trace that leads from a line of a bill to its spans.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { match } from "../money/matching.ts";
import { sumOf } from "../support/exposition.ts";
import { type Kind, plannedCalls } from "./criteria-calls.ts";
import { type Played, play, type Told } from "./criteria-play.ts";
import { type Errors, errorsOf } from "./criteria-table.ts";

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
const others = (...kinds: readonly Kind[]) =>
  played.told.filter(({ planned }) => !kinds.includes(planned.kind));
const name = ({ planned }: Told) => `${planned.mark}, ${planned.kind} of ${planned.provider}`;

describe("the cost of every request", () => {
  test("is in its reply, in the log and in the ledger, and the same in all of them", () => {
    for (const told of others("no price")) {
      const { event, summary, receipt } = told;
      expect(summary?.costPicoUsd, name(told)).toBeDefined();
      expect(event.cost_pico_usd, name(told)).toBe(String(summary?.costPicoUsd));
      if (receipt) expect(receipt.cost?.actualPicoUsd, name(told)).toBe(summary?.costPicoUsd);
    }
    // Who left has no reply, and who was refused spent nothing that a receipt could tell of.
    const without = played.told.filter(({ receipt }) => !receipt);
    expect(new Set(without.map(({ planned }) => planned.kind))).toEqual(
      new Set<Kind>(["caller left", "no such model", "too dear"]),
    );
  });
});
