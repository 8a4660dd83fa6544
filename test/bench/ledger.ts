/**
 * `node test/bench/ledger.ts`: the CPU of the ledger for each call of one attempt, with SQLite and its thread, at
 * several rates.
 */
import { randomUUIDv7 } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { systemClock } from "../../src/core/clock.ts";
import { createLedger, type Ledger } from "../../src/cost/ledger.ts";
import { openStore } from "../../src/store/store.ts";
import { callRowOf, intentOf, settlementOf } from "../support/ledger.ts";

const CALLS = 20_000;
/** Calls begun at once, every so often. */
const PACES = [
  { name: "1,000 calls/s", burst: 5, everyMs: 5 },
  { name: "4,000 calls/s", burst: 20, everyMs: 5 },
  { name: "as fast as it goes", burst: 500, everyMs: 0 },
];
const LINE_ITEMS = ["input", "output"].map((kind) => ({
  $typeName: "llmgateway.v1.LineItem" as const,
  kind,
  count: 10n,
  unitPicoUsd: 2_500_000n,
  picoUsd: 25_000_000n,
}));
const { signal } = new AbortController();

// The ledger's timers keep no process alive.
const alive = setInterval(() => {}, 1_000);
const dataDir = mkdtempSync(join(tmpdir(), "llmgateway-bench-"));
const store = await openStore({ dataDir, instance: "bench", onDeath: fail });
const ledger = createLedger({
  store: store.ledger,
  clock: systemClock,
  maxWaitingRows: 20_000,
  whenFull: "wait",
  onLost: fail,
  onError: fail,
});
process.stdout.write("| ledger | CPU of a call | CPU without the ledger |\n|---|---|---|\n");
for (const pace of PACES) {
  await run(pace, ledger);
  const [calls, none] = [await run(pace, ledger), await run(pace, undefined)];
  process.stdout.write(`| ${pace.name} | ${calls.toFixed(1)} µs | ${none.toFixed(1)} µs |\n`);
}
clearInterval(alive);
await ledger.close();
await store.close();
rmSync(dataDir, { recursive: true });

/** The CPU of all threads, in microseconds a call; without a ledger, of what is around it. */
async function run({ burst, everyMs }: (typeof PACES)[number], to: Ledger | undefined): Promise<number> {
  const before = process.cpuUsage();
  for (let calls = 0; calls < CALLS; calls += burst) {
    const startedAtMs = Date.now();
    const ids = Array.from({ length: burst }, () => randomUUIDv7());
    const intents = ids.map((id) => intentOf(id, { startedAtMs }));
    await Promise.all(intents.map((intent) => to?.open(intent, { durable: false, signal })));
    await wait(everyMs);
    for (const id of ids) {
      const settlement = settlementOf(id, { lineItems: LINE_ITEMS });
      const row = callRowOf(id, { startedAtMs, endedAtMs: Date.now() });
      to?.settle(settlement);
      to?.call(row);
    }
  }
  await to?.flush();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / CALLS;
}

function fail(reason: unknown): never {
  throw new Error(String(reason));
}
