/** Copies beside many calls, with a provider that misbehaves and callers that leave: every attempt has its one row. */
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { rowsOf, temporaryFolder } from "../support/stores.ts";
import { seeded } from "./simulated.ts";
import { startWorld } from "./world.ts";

const CALLS = 1_200;
const AT_ONCE = 40;

it("books every attempt once, and leaves none open", async () => {
  const random = seeded(7);
  const data_dir = temporaryFolder();
  const experiments = {
    trial: {
      variants: [{ model: "openai/gpt-4o" }, { model: "claude/claude-sonnet-5" }],
      decision: { stop_on_harm: false },
      shadows: [
        {
          name: "copy",
          model: "mistral/mistral-small-latest",
          max_cost_per_hour: 100,
          max_per_minute: 10_000,
          timeout: "2s",
        },
      ],
    },
  };
  const given = {
    ledger: { data_dir },
    budgets: [{ name: "all", limit_usd: 1_000, per: "month" }],
    resilience: { retries: { max: 1 }, circuit_breaker: { enabled: false } },
  };
  await using world = await startWorld(experiments, given, { emulator: { chaos: 0.2, paceMs: 2 } });
  const one = async (at: number) => {
    const leaving = random() < 0.2 ? AbortSignal.timeout(Math.floor(150 * random())) : undefined;
    const body = JSON.stringify({ messages: [{ role: "user", content: `Call ${at}` }], timeout_ms: 3_000 });
    const headers = { "content-type": "application/json" };
    const path = random() < 0.5 ? "stream" : "chat";
    await fetch(`${world.url}/v1/gateway/${path}`, {
      method: "POST",
      body,
      headers,
      ...(leaving ? { signal: leaving } : {}),
    })
      .then((response) => response.text())
      .catch(() => {});
  };
  for (let made = 0; made < CALLS; made += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => one(made + at)));
  await vi.waitFor(() => expect(world.emulator.meter.totals().open).toBe(0), 30_000);
  const db = join(data_dir, "llmgateway.db");
  const { requests } = world.emulator.meter.totals();
  const count = (where: string) => rowsOf(db, `SELECT count(*) AS n FROM attempts WHERE ${where}`)[0]?.n;
  await vi.waitFor(() => expect(count("state = 'open'")).toBe(0n), 30_000);
  // What was broken off before it was sent has a row, and nothing at the provider.
  const unsent = Number(count("outcome <> 'ok' AND coalesce(output_tokens, 0) = 0"));
  const rows = Number(count("true"));
  expect(rows).toBeGreaterThanOrEqual(requests);
  expect(rows - requests).toBeLessThanOrEqual(unsent);
  const copies = Number(count("variant = 'trial/copy'"));
  process.stdout.write(`${requests} requests, ${rows} rows, ${copies} of copies\n`);
  expect(copies).toBeGreaterThan(CALLS / 3);
  expect(await world.experiment("trial")).toMatchObject({ state: "running" });
  const paths = world.emulator.meter.requests.filter(
    ({ path, outcome, fault }) => path.includes("mistral") && outcome === "served" && !fault,
  );
  const metered = paths.reduce((sum, { inputTokens, outputTokens }) => sum + inputTokens + outputTokens, 0);
  const [booked] = rowsOf(
    db,
    "SELECT sum(input_tokens + output_tokens) AS tokens FROM attempts WHERE variant = 'trial/copy'",
  );
  expect(Number(booked?.tokens)).toBeGreaterThanOrEqual(metered);
}, 300_000);
