/**
 * A provider that usually takes 100 ms to its first word, and for three in a hundred twenty times as long: what hedging
 * does to the slowest of a hundred, and what it costs. Both ways run side by side, so that a busy machine is as busy for
 * both; and what a provider takes is long beside what a machine does that stands still for a moment.
 */
import { expect, test } from "vitest";
import { agreement } from "../money/agreement.ts";
import type { Books } from "../money/books.ts";
import { metricsOf, startEmulatorProcess } from "../money/rig.ts";
import { readLedger } from "../money/sqlite.ts";
import { samplesOf } from "../support/exposition.ts";
import { Home } from "../support/home.ts";
import { type End, makeCalls, receiptsOf } from "./calls.ts";
import { SICK, TARGETS } from "./world.ts";

const CALLS = 2_000;
/** Until connections are made, code is compiled, and the usual time is known. */
const FIRST_CALLS = 100;
const AT_ONCE = 25;
const USUAL_MS = 100;
const BIMODAL = {
  "first-token-ms": USUAL_MS,
  chaos: 0.03,
  fault: `first_token_ms=${20 * USUAL_MS}`,
  seed: 1,
};

test("hedging makes the slowest of a hundred faster, for few calls more", async () => {
  const [without, hedged] = await Promise.all([
    round({}),
    round({ resilience: { hedging: { enabled: true } } }),
  ]);
  const [before, after] = [without, hedged].map(({ ends }) => quantileMs(ends, 0.99));
  const [was = 0, is = 0] = [before, after];
  const { exchanges, attempts, metrics } = hedged.books;
  const losers = attempts.filter(({ failureKind }) => failureKind === "hedge_lost");
  const lost = losers.reduce((sum, { costPicoUsd = 0n }) => sum + costPicoUsd, 0n);
  process.stdout.write(
    [
      `\np50 of the first word ${ms(quantileMs(without.ends, 0.5))}, hedged ${ms(quantileMs(hedged.ends, 0.5))}`,
      `p99 of the first word ${ms(was)}, hedged ${ms(is)}: ${percent(1 - is / was)} less`,
      `extra calls ${exchanges.length - CALLS} of ${CALLS}: ${percent(exchanges.length / CALLS - 1)}, ${JSON.stringify(samplesOf(metrics, "llm_hedged_requests_total"))}`,
      `losers ${losers.length}, $${(Number(lost) / 1e12).toFixed(6)} of $${(Number(total(hedged.books)) / 1e12).toFixed(6)}\n`,
    ].join("\n"),
  );
  for (const { ends, books } of [without, hedged]) {
    expect(ends.filter(({ kind }) => kind !== "")).toEqual([]);
    expect(agreement(books).disagreements).toEqual([]);
  }
  expect(is).toBeLessThan(0.4 * was);
  expect(exchanges.length - CALLS).toBeGreaterThan(CALLS / 100);
  expect(exchanges.length).toBeLessThanOrEqual(1.06 * CALLS);
  expect(losers.length).toBe(attempts.length - CALLS);
});

interface Round {
  readonly ends: readonly End[];
  readonly books: Books;
}

async function round(config: object): Promise<Round> {
  await using emulator = await startEmulatorProcess(BIMODAL);
  using home = new Home(emulator.url);
  await using gateway = await home.start(config);
  const ends = await makeCalls(gateway.url, {
    count: CALLS,
    atOnce: AT_ONCE,
    model: () => TARGETS[SICK],
    streams: () => true,
  });
  const metrics = await metricsOf(gateway);
  expect(await gateway.stop()).toBe(0);
  const exchanges = await emulator.exchanges();
  return { ends, books: { exchanges, ...readLedger(home.data), receipts: receiptsOf(ends), metrics } };
}

function total({ attempts }: Books): bigint {
  return attempts.reduce((sum, { costPicoUsd = 0n }) => sum + costPicoUsd, 0n);
}

/** Of the times to the first word. */
function quantileMs(ends: readonly End[], share: number): number {
  const times = ends
    .slice(FIRST_CALLS)
    .flatMap(({ firstMs }) => firstMs ?? [])
    .toSorted((a, b) => a - b);
  return times[Math.ceil(share * times.length) - 1] ?? Number.NaN;
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
