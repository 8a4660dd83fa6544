/**
 * Every fault on real sockets, twice: with nothing to meet it, and with every policy. Callers see none of it that
 * can be met; what they saw the beginning of ends in one error with its receipt; and each attempt has its row.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { agreement } from "../money/agreement.ts";
import type { AttemptRow, Books } from "../money/books.ts";
import { FAULTS, type Fault } from "./faults.ts";
import { failed, figuresOf, type Line, tableOf } from "./figures.ts";
import { ALL_POLICIES, NO_POLICIES, type Played, Stage } from "./play.ts";

const CALLS = 48;
/** How many faults are made ready together, with two gateways each: eleven would be too many at one price catalog. */
const BATCH = 5;
const lines = new Map<string, Line>();

afterAll(() => {
  const inOrder = FAULTS.flatMap(({ name }) => lines.get(name) ?? []);
  process.stdout.write(`\n${tableOf(inOrder)}\n`);
});

describe.each(batches())("a provider that is hurt, %$", ({ faults }) => {
  let stages: Map<Fault, { readonly without: Stage; readonly with: Stage }>;

  // Starting takes the machine for itself, and would make those late who run already.
  beforeAll(async () => {
    stages = new Map(
      await Promise.all(
        faults.map(async (fault) => {
          const without = await Stage.set(fault, NO_POLICIES);
          return [fault, { without, with: await Stage.set(fault, ALL_POLICIES) }] as const;
        }),
      ),
    );
  });
  afterAll(async () => {
    for (const { without, with: those } of stages.values()) {
      await without[Symbol.asyncDispose]();
      await those[Symbol.asyncDispose]();
    }
  });

  test.concurrent.each(faults.map((fault) => [fault.name, fault] as const))("%s", async (name, fault) => {
    const stage = stages.get(fault);
    if (!stage) throw new Error("nothing was begun");
    const without = await stage.without.play(CALLS);
    const those = await stage.with.play(CALLS);
    const line = { name, without: figuresOf(without), with: figuresOf(those) };
    lines.set(name, line);
    for (const { books } of [without, those]) expect(agreement(books).disagreements).toEqual([]);
    expect(line.with.injected).toBeGreaterThan(0);
    expect(line.without.failed).toBeGreaterThan(0);
    for (const played of [without, those]) checkEnds(played);
    if (fault.afterCommit) {
      expect(line.with.failed).toBeLessThan(line.without.failed);
      checkDelivered(those);
    } else expect(those.ends.filter(failed)).toEqual([]);
    checkWaits(fault, those.books);
  });
});

function batches(): { readonly faults: readonly Fault[] }[] {
  const count = Math.ceil(FAULTS.length / BATCH);
  return Array.from({ length: count }, (_, at) => ({ faults: FAULTS.slice(at * BATCH, (at + 1) * BATCH) }));
}

/** Every call ends in an answer or in one error that has a name, and is told what it cost. */
function checkEnds({ ends }: Played): void {
  for (const { kind, errors, after, receipt, mark } of ends) {
    expect(after, mark).toBe(0);
    expect(new Set(errors).size, mark).toBe(kind === "" ? 0 : 1);
    if (kind !== "") expect(kind, mark).toMatch(/^[a-z_]+$/);
    expect(receipt, mark).toBeDefined();
  }
}

/** What had begun to be delivered when it failed is neither gone on with elsewhere nor begun again. */
function checkDelivered({ ends, books }: Played): void {
  const rows = Map.groupBy(books.attempts, ({ mark }) => mark);
  const broken = ends.filter((end) => failed(end) && end.words > 0);
  expect(broken.length).toBeGreaterThan(0);
  for (const { mark } of broken) {
    const attempts = rows.get(mark)?.toSorted((a, b) => a.number - b.number) ?? [];
    const last = attempts.findLast(({ outcome }) => outcome !== "abandoned");
    expect(last?.outcome, mark).toBe("failed");
    expect(attempts.filter(({ outcome }) => outcome === "ok")).toEqual([]);
  }
}

/** Nobody is asked again sooner than he wanted. */
function checkWaits({ askedMs }: Fault, { attempts }: Books): void {
  if (askedMs === undefined) return;
  const waits = [...Map.groupBy(attempts, ({ callId }) => callId).values()].flatMap(waitsOf);
  // Longer waits are not worth it, with others to ask.
  if (askedMs < 1_000) expect(waits.length).toBeGreaterThan(0);
  // The clock counts whole milliseconds.
  for (const waitMs of waits) expect(waitMs).toBeGreaterThanOrEqual(askedMs - 1);
}

/** From each attempt to the retry at the same provider. A hedge may have been sent before the refusal came. */
function waitsOf(rows: readonly AttemptRow[]): number[] {
  const inOrder = rows.toSorted((a, b) => a.number - b.number);
  return inOrder.flatMap((row, at) => {
    const before = inOrder[at - 1];
    if (row.trigger !== "retry" || before?.provider !== row.provider) return [];
    return before.failureKind === "provider_rate_limited" ? [row.startedAtMs - before.startedAtMs] : [];
  });
}
