/**
 * A gateway that is killed under load, again and again: what the provider metered by then is booked when it is back,
 * at its cost or at the most that it could be, and no budget has forgotten any of it.
 */

import { describe, expect, onTestFinished, test } from "vitest";
import { mulberry32 } from "../../src/emulator/random.ts";
import { CALLERS } from "../support/callers.ts";
import { samplesOf } from "../support/exposition.ts";
import { Home } from "../support/home.ts";
import { hasPostgres, startPostgres } from "../support/postgres.ts";
import { agreement, GRAVE } from "./agreement.ts";
import { makeCalls } from "./callers.ts";
import { meteredBy } from "./exchanges.ts";
import { type Plan, plansOf } from "./plans.ts";
import { readPostgres } from "./postgres.ts";
import { costOf } from "./prices.ts";
import { metricsOf, startEmulatorProcess } from "./rig.ts";
import type { Rows } from "./rows.ts";
import { ledgerIsSound, readLedger } from "./sqlite.ts";

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 20);
/** Another one each time; a failure names it. */
const SEED = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000);
const CALLS_PER_ROUND = 1_000;
const LONGEST_MS = 300_000;
/** Behind the start of the calls, when as a rule some are at each of their stages. */
const EARLIEST_KILL_MS = 300;
const KILL_SPREAD_MS = 1_500;
const BUDGETS = { budgets: [{ name: "all", limit_usd: 1_000_000, per: "month" }] };

interface Durable {
  readonly env: Readonly<Record<string, string>>;
  read(home: Home): Promise<Rows>;
  /** Looks for damage that reading would not meet. */
  check(home: Home): void;
}

const sqlite: Durable = {
  env: {},
  read: async ({ data }) => readLedger(data),
  check: ({ data }) => expect(ledgerIsSound(data)).toBe(true),
};

describe("kill -9 under load loses nothing that was metered", () => {
  test("on SQLite", { timeout: LONGEST_MS }, () => crash(sqlite));

  test("on PostgreSQL", { timeout: LONGEST_MS }, async () => {
    if (!hasPostgres("a ledger on PostgreSQL whose gateway is killed")) return;
    const postgres = await startPostgres();
    onTestFinished(() => postgres.stop());
    const url = await postgres.createDatabase();
    // Its own server was not killed, and so keeps its pages sound.
    await crash({ env: { DATABASE_URL: url }, read: () => readPostgres(url), check: () => {} });
  });
});

async function crash({ env, read, check }: Durable): Promise<void> {
  const random = mulberry32(SEED);
  await using emulator = await startEmulatorProcess({ chaos: 0.2, "pace-ms": 10, seed: SEED });
  using home = new Home(emulator.url);
  for (let round = 0; round < ROUNDS; round++) {
    const gateway = await home.start(BUDGETS, env);
    const over = new AbortController();
    const calls = makeCalls(gateway.url, priced(plansOf(SEED + round, CALLS_PER_ROUND)), over.signal);
    await new Promise((resolve) => setTimeout(resolve, EARLIEST_KILL_MS + KILL_SPREAD_MS * random()));
    await gateway[Symbol.asyncDispose]();
    over.abort();
    await calls;
  }
  await expect.poll(async () => (await emulator.totals()).open, { timeout: 10_000 }).toBe(0);

  const gateway = await home.start(BUDGETS, env);
  // A budget is counted from its first call on, and begins with what is booked. Chaos spares who directs it.
  const messages = [{ role: "user", content: "[[emulate: tokens=5 mark=last]] Who is there?" }];
  await CALLERS[0]
    ?.at(gateway.url)
    .chat({ model: "openai/gpt-4o-mini", messages, metadata: { mark: "last" } });
  const budget = samplesOf(await metricsOf(gateway), "llm_budget_spent_usd");
  expect(await gateway.stop()).toBe(0);
  const exchanges = await emulator.exchanges();
  const rows = await read(home);
  const { disagreements, table } = agreement({ exchanges, ...rows, receipts: [], metrics: "" });
  const unknown = rows.attempts.filter(({ state }) => state === "unknown");
  process.stdout.write(`\n${ROUNDS} kills, CRASH_SEED=${SEED}, ${unknown.length} rows unknown\n${table}\n`);

  expect(disagreements.filter(({ kind }) => GRAVE.includes(kind))).toEqual([]);
  expect(unknown.length).toBeGreaterThan(0);
  check(home);
  const byMark = new Map(rows.attempts.map((row) => [row.mark, row]));
  const metered = exchanges.reduce((sum, exchange) => {
    const row = byMark.get(exchange.mark ?? "");
    return sum + ((row && costOf(row.provider, row.model, meteredBy([exchange]))) ?? 0n);
  }, 0n);
  expect(BigInt(Math.round((Object.values(budget)[0] ?? 0) * 1e12))).toBeGreaterThanOrEqual(metered);
}

/** A hard budget refuses models without a price. */
function priced(plans: readonly Plan[]): Plan[] {
  return plans.filter(({ request }) => !request.model?.includes("unheard-of"));
}
