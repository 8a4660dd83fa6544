/** One round of calls under chaos, from the first call to the books that it left behind. */
import { expect, vi } from "vitest";
import type { Books } from "./books.ts";
import { makeCalls } from "./callers.ts";
import { plansOf } from "./plans.ts";
import { Home, metricsOf, startEmulatorProcess } from "./rig.ts";
import { rowsOfLog } from "./rows.ts";
import { readLedger } from "./sqlite.ts";

/** The emulator's, so that what an aborted stream had said by then means something. */
const PACE_MS = 5;
/** Of requests that get a fault. */
const CHAOS = 0.3;
const REST_MS = 10_000;

export async function playRound(seed: number, calls: number): Promise<Books> {
  await using emulator = await startEmulatorProcess({ chaos: CHAOS, "pace-ms": PACE_MS, seed });
  using home = new Home(emulator.url);
  await using gateway = await home.start();
  const receipts = await makeCalls(gateway.url, plansOf(seed, calls));
  const rest = async () => {
    expect((await emulator.totals()).open).toBe(0);
    expect(inFlight(await metricsOf(gateway))).toBe(0);
  };
  await vi.waitFor(rest, { timeout: REST_MS });
  const metrics = await metricsOf(gateway);
  // What waits to be written is written then.
  expect(await gateway.stop()).toBe(0);
  const rows = readLedger(home.data) ?? rowsOfLog(gateway.lines.map((line) => JSON.parse(line)));
  return { exchanges: await emulator.exchanges(), ...rows, receipts, metrics };
}

function inFlight(metrics: string): number {
  const gauges = [...metrics.matchAll(/^llm_requests_in_flight\{.*\} (\d+)$/gm)];
  return gauges.reduce((sum, [, value]) => sum + Number(value), 0);
}
