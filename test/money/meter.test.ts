/**
 * The meter test: thousands of calls at once, of every kind, to every provider, most of whom misbehave, for callers of
 * whom many leave. Afterwards the provider's meter, the rows, the receipts and the metrics agree, to the pico-dollar.
 */
import { beforeAll, expect, test, vi } from "vitest";
import { type Agreement, agreement } from "./agreement.ts";
import type { Books } from "./books.ts";
import { makeCalls } from "./callers.ts";
import { plansOf } from "./plans.ts";
import { Home, metricsOf, startEmulatorProcess } from "./rig.ts";
import { rowsOfLog } from "./rows.ts";

const CALLS = Number(process.env.METER_CALLS ?? 10_000);
/** Another one each time; a failure names it. */
const SEED = Number(process.env.METER_SEED ?? Date.now() % 1_000_000);
const LONGEST_MS = 300_000;
/** The emulator's, so that what an aborted stream had said by then means something. */
const PACE_MS = 5;

let books: Books;
let result: Agreement;

beforeAll(async () => {
  books = await round();
  result = agreement(books);
  process.stdout.write(`\n${CALLS} calls, METER_SEED=${SEED}\n${result.table}\n`);
}, LONGEST_MS);

test("every attempt has exactly one row, and all books agree", () => {
  expect(result.disagreements).toEqual([]);
});

async function round(): Promise<Books> {
  const chaos = ["--chaos", "0.3", "--pace-ms", String(PACE_MS), "--seed", String(SEED)];
  await using emulator = await startEmulatorProcess(...chaos);
  using home = new Home(emulator.url);
  await using gateway = await home.start();
  const receipts = await makeCalls(gateway.url, plansOf(SEED, CALLS));
  const rest = async () => {
    expect((await emulator.totals()).open).toBe(0);
    expect(inFlight(await metricsOf(gateway))).toBe(0);
  };
  await vi.waitFor(rest, { timeout: 10_000 });
  const metrics = await metricsOf(gateway);
  expect(await gateway.stop()).toBe(0);
  const rows = rowsOfLog(gateway.lines.map((line) => JSON.parse(line)));
  return { exchanges: await emulator.exchanges(), ...rows, receipts, metrics };
}

function inFlight(metrics: string): number {
  const gauges = [...metrics.matchAll(/^llm_requests_in_flight\{.*\} (\d+)$/gm)];
  return gauges.reduce((sum, [, value]) => sum + Number(value), 0);
}
