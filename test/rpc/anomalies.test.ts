/** A gateway over a ledger with five weeks in it, and a dear hour at their end: what it tells of that, everywhere. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { usage } from "../../src/core/usage.ts";
import { openStore } from "../../src/store/store.ts";
import { start } from "../support/command.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { batchOf, intentOf, settlementOf } from "../support/ledger.ts";

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 6, 8, 15, 30);
/** The last hour that is over. */
const DEAR = Date.UTC(2026, 6, 8, 14);
const WEEKS = 5;

/** The system's, as if it were that day. */
function clockOfThatDay(): Clock {
  const begin = Date.now();
  return { now: () => NOW + Date.now() - begin, after: (ms, action) => systemClock.after(ms, action) };
}

/** An attempt an hour of $5, and of $60 in the dear one. */
async function fill(dataDir: string): Promise<void> {
  const store = await openStore({ dataDir, instance: "before", onDeath: () => {} });
  const batch = {
    intents: [] as ReturnType<typeof intentOf>[],
    settlements: [] as ReturnType<typeof settlementOf>[],
  };
  for (let atMs = DEAR - WEEKS * 7 * 24 * HOUR; atMs <= DEAR; atMs += HOUR) {
    const callId = `call-${atMs}`;
    const inputTokens = atMs === DEAR ? 24_000_000 : 2_000_000;
    const target = { provider: "openai", model: "gpt-4o" };
    batch.intents.push(intentOf(callId, { startedAtMs: atMs + 60_000, attempt: target }));
    const settled = settlementOf(callId, {
      ...target,
      usage: usage("measured", { inputTokens }),
      actualPicoUsd: BigInt(inputTokens) * 2_500_000n,
    });
    batch.settlements.push({ ...settled, settledAtMs: atMs + 61_000 });
  }
  await store.ledger.append(batchOf(batch));
  await store.close();
}

describe("a dear hour", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "llmgateway-anomalies-"));
  let both: GatewayUnderTest;

  const ask = async (path: string) => JSON.parse(await (await fetch(`${both.url}/v1/gateway${path}`)).text());

  beforeAll(async () => {
    await fill(dataDir);
    both = await startBoth({ ledger: { data_dir: dataDir } }, { clock: clockOfThatDay() });
    await vi.waitFor(async () => expect((await ask("/usage")).anomalies).toHaveLength(2), 10_000);
  });
  afterAll(async () => {
    await both[Symbol.asyncDispose]();
    rmSync(dataDir, { recursive: true });
  });

  test("is told with what was spent, by model and of all together", async () => {
    const { anomalies } = await ask("/usage");
    expect(
      anomalies.map(({ kind, provider, model }: Record<string, string>) => [kind, provider, model]),
    ).toEqual([
      ["spend", "openai", "gpt-4o"],
      ["spend", "", ""],
    ]);
    expect(anomalies[0]).toMatchObject({
      since: "2026-07-08T14:00:00Z",
      until: "2026-07-08T15:00:00Z",
      observed: 60,
      expected: 5,
      ratio: 12,
      usd: 55,
      text: "openai/gpt-4o cost $60.00 in an hour that usually costs $5.00, 12 times as much",
    });
  });

  test.each([
    ["model=gpt-4o", ["gpt-4o"]],
    ["provider=claude", []],
    ["tags=team=search", []],
    ["until=2026-07-08T13:00:00Z", []],
  ])("is told of %s only where it is about that", async (query, expected) => {
    const { anomalies } = await ask(`/usage?${query}`);
    expect(anomalies.map(({ model }: Record<string, string>) => model)).toEqual(expected);
  });

  test("is in the log, once for each", () => {
    const events = both.log.events.filter(({ msg }) => msg === "cost anomaly");
    expect(events).toHaveLength(2);
    expect(events).toContainEqual(
      expect.objectContaining({
        kind: "spend",
        provider: "openai",
        model: "gpt-4o",
        observed: 60,
        beyond_usd: 55,
      }),
    );
  });

  test("is in the metrics", async () => {
    const metrics = await (await fetch(`${both.url}/v1/gateway/metrics`)).text();
    expect(metrics).toContain('llm_cost_baseline_usd{provider="openai",model="gpt-4o"} 5\n');
    expect(metrics).toContain('llm_cost_baseline_usd{provider="",model=""} 5\n');
    expect(metrics).toContain('llm_cost_anomaly{kind="spend",provider="openai",model="gpt-4o"} 1\n');
    expect(metrics).toContain('llm_cost_anomalies_total{kind="spend"} 2\n');
  });

  test("is printed on the command line, and so are tips", async () => {
    const run = (...args: string[]) => start("usage", ...args, "--url", both.url).end();
    const { stdout, stderr, status } = await run("anomalies");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(
      /^SINCE +UNTIL +KIND +BEYOND +WHAT\n2026-07-08T14:00:00\.000Z .* spend +\$55\.00 +openai/,
    );
    expect((await run()).stdout).toContain("\n2 out of the usual: llmgateway usage anomalies\n");
    const tips = (await run("tips")).stdout;
    expect(tips).toMatch(
      /^cheaper_model: \$\d+\.\d\d, key anonymous\n {2}openai\/\S+ has the abilities of openai\/gpt-4o/,
    );
    expect(tips).toContain("The gateway's cache is off.");
    expect(JSON.parse((await run("tips", "--json")).stdout).tips).toHaveLength(2);
    expect((await ask("/usage")).tips).toEqual([]);
  });
});

test("nothing is looked for where it is switched off", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "llmgateway-anomalies-"));
  await fill(dataDir);
  {
    const ledger = { data_dir: dataDir, anomalies: { enabled: false } };
    await using off = await startBoth({ ledger }, { clock: clockOfThatDay() });
    const reply = await fetch(`${off.url}/v1/gateway/usage`);
    expect(JSON.parse(await reply.text())).toMatchObject({ anomalies: [], total: { attempts: "168" } });
    const metrics = await (await fetch(`${off.url}/v1/gateway/metrics`)).text();
    expect(metrics).not.toContain("llm_cost_baseline_usd{");
  }
  rmSync(dataDir, { recursive: true });
});
