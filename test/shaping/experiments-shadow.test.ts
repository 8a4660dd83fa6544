/** Copies of calls: nobody waits for them, they are few and cheap as configured, and they are booked apart. */
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import type { PicoUsd } from "../../src/core/money.ts";
import { startEmulator } from "../../src/emulator/server.ts";
import { Cap } from "../../src/experiments/cap.ts";
import { type ExperimentRule, Laboratory } from "../../src/experiments/laboratory.ts";
import { VirtualClock } from "../support/clock.ts";
import { rowsOf, temporaryFolder } from "../support/stores.ts";
import { RULE } from "./simulated.ts";
import { startWorld, type World } from "./world.ts";

function withShadow(shadow: Record<string, unknown>) {
  return { trial: { variants: [{ model: "openai/gpt-4o" }], shadows: [{ name: "copy", ...shadow }] } };
}

async function shadowOf(world: World): Promise<Readonly<Record<string, unknown>>> {
  const { shadows } = await world.experiment("trial");
  return shadows[0] ?? {};
}

it("are waited for by nobody, and end with the gateway", async () => {
  const slow = await startEmulator({ firstTokenMs: 3_600_000 });
  const providers = { slow: { kind: "openai", base_url: `${slow.url}/v1`, prices: "openai" } };
  const world = await startWorld(withShadow({ model: "slow/gpt-4o" }), { providers });
  try {
    const reply = await world.chat();
    expect(reply).toMatchObject({
      provider: "openai",
      experiment: { name: "trial", variant: "openai/gpt-4o" },
    });
    await vi.waitFor(() => expect(slow.meter.totals()).toMatchObject({ open: 1, served: 0 }), 10_000);
    const events = await fetch(`${world.url}/v1/gateway/stream`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ role: "user", content: "And now?" }] }),
    });
    expect(await events.text()).toContain('"done":true');
    await vi.waitFor(() => expect(slow.meter.totals()).toMatchObject({ open: 2, served: 0 }), 10_000);
  } finally {
    await world[Symbol.asyncDispose]();
  }
  await vi.waitFor(
    () => expect(slow.meter.totals()).toMatchObject({ open: 0, served: 0, aborted: 2 }),
    10_000,
  );
  await slow.close();
});

it("are booked apart, to the last token, and told in no receipt of the caller's", async () => {
  const data_dir = temporaryFolder();
  await using world = await startWorld(withShadow({ model: "claude/claude-sonnet-5" }), {
    ledger: { data_dir },
  });
  const replies = await Promise.all(
    Array.from({ length: 12 }, (_, at) =>
      world.chat({ messages: [{ role: "user", content: `Question ${at}?` }], metadata: { team: "red" } }),
    ),
  );
  await vi.waitFor(
    async () => expect(await shadowOf(world)).toMatchObject({ copies: "12", compared: "12", failures: "0" }),
    10_000,
  );
  const totals = world.emulator.meter.totals();
  expect(totals.requests).toBe(24);
  const db = join(data_dir, "llmgateway.db");
  await vi.waitFor(() => expect(rowsOf(db, "SELECT count(*) AS n FROM calls")).toEqual([{ n: 24n }]), 10_000);
  const sums = rowsOf(
    db,
    `SELECT count(*) AS requests, sum(input_tokens) AS inputTokens, sum(output_tokens) AS outputTokens,
      sum(state = 'settled' AND cost_pico_usd > 0) AS priced FROM attempts`,
  );
  expect(sums).toEqual([
    {
      requests: 24n,
      inputTokens: BigInt(totals.inputTokens),
      outputTokens: BigInt(totals.outputTokens),
      priced: 24n,
    },
  ]);
  const copies = rowsOf(
    db,
    "SELECT DISTINCT method, principal, tenant, provider, variant, tags FROM calls WHERE method = 'Shadow'",
  );
  expect(copies).toEqual([
    {
      method: "Shadow",
      principal: "experiment:trial",
      tenant: "internal",
      provider: "claude",
      variant: "trial/copy",
      tags: '{"experiment":"trial","shadow":"copy"}',
    },
  ]);
  const [own] = rowsOf(
    db,
    "SELECT sum(cost_pico_usd) AS cost FROM attempts WHERE provider = 'openai' AND variant = 'trial/openai/gpt-4o'",
  );
  expect(replies.reduce((sum, { cost }) => sum + BigInt(cost.actual_pico_usd), 0n)).toBe(own?.cost);
  const [theirs] = rowsOf(db, "SELECT sum(cost_pico_usd) AS cost FROM attempts WHERE provider = 'claude'");
  expect(await shadowOf(world)).toMatchObject({ cost_pico_usd: String(theirs?.cost) });
});

it("are compared with the answer, without keeping any of it", async () => {
  await using world = await startWorld(withShadow({ model: "openai/gpt-4o" }));
  await world.chat();
  await vi.waitFor(async () => expect(await shadowOf(world)).toMatchObject({ compared: "1" }), 10_000);
  expect(await shadowOf(world)).toMatchObject({
    equal_share: 1,
    same_finish_share: 1,
    mean_similarity: 1,
    mean_length_ratio: 1,
  });
  await using other = await startWorld(withShadow({ model: "openai/gpt-4o", parameters: { max_tokens: 3 } }));
  await other.chat();
  await vi.waitFor(async () => expect(await shadowOf(other)).toMatchObject({ compared: "1" }), 10_000);
  const { mean_length_ratio, ...rest } = await shadowOf(other);
  expect(rest).toMatchObject({ equal_share: 0, same_finish_share: 0 });
  expect(mean_length_ratio).toBeLessThan(1);
});

it("are not made of what the cache answered, of what is sensitive, or beyond so many a minute", async () => {
  await using world = await startWorld(withShadow({ model: "claude/claude-sonnet-5", max_per_minute: 3 }), {
    cache: { enabled: true },
  });
  const ask = (content: string, fields = {}) =>
    world.chat({ messages: [{ role: "user", content }], ...fields });
  await ask("once", { sensitive: true });
  await ask("twice");
  expect((await ask("twice")).cached).toBe(true);
  for (let at = 0; at < 5; at++) await ask(`more ${at}`);
  await vi.waitFor(
    async () => expect(await shadowOf(world)).toMatchObject({ copies: "3", capped: "3" }),
    10_000,
  );
});

it("cost no more than they may, however many are asked for at once", async () => {
  const max_cost_per_hour = 0.002;
  await using world = await startWorld(withShadow({ model: "openai/gpt-4o", max_cost_per_hour }));
  const calls = Array.from({ length: 60 }, (_, at) =>
    world.chat({ messages: [{ role: "user", content: `No. ${at}` }] }),
  );
  await Promise.all(calls);
  await vi.waitFor(async () => {
    const { copies, capped } = await shadowOf(world);
    expect(Number(copies) + Number(capped)).toBe(60);
  }, 10_000);
  const { cost_usd, copies, capped } = await shadowOf(world);
  expect(Number(copies)).toBeGreaterThan(0);
  expect(Number(capped)).toBeGreaterThan(0);
  expect(cost_usd).toBeLessThanOrEqual(max_cost_per_hour);
});

it("hold what each may cost before it is sent, and have it again an hour later", () => {
  const clock = new VirtualClock();
  const cap = new Cap({ maxPerHour: 2_000n as PicoUsd, maxPerMinute: 1_000 }, clock);
  const held = Array.from({ length: 21 }, () => cap.take());
  expect(held.filter((one) => one === "cost")).toHaveLength(1);
  const [first, second] = held;
  if (typeof first !== "object" || typeof second !== "object") throw new Error("nothing was held");
  expect(first.most).toBe(100n);
  second.settle(undefined);
  expect(cap.take()).toBe("cost");
  first.settle(0n as PicoUsd);
  expect(cap.take()).toMatchObject({ most: 100n });
  expect(cap.take()).toBe("cost");
});

it("are counted one by one, however many there were within the hour, and for no longer", async () => {
  const clock = new VirtualClock();
  const cap = new Cap({ maxPerHour: 1_000_000_000n as PicoUsd, maxPerMinute: 1_000_000 }, clock);
  const taken = () => {
    for (let copies = 0; ; copies++) {
      const held = cap.take();
      if (typeof held === "string") return copies;
      held.settle(10_000n as PicoUsd);
    }
  };
  // As many as leave the most that one may cost. To add all of them up for each would take minutes.
  expect(taken()).toBe(95_001);
  await clock.advance(3_600_000);
  expect(taken()).toBe(95_001);
});

it("cost no more than they may in an hour in which other configurations were loaded", () => {
  const laboratory = new Laboratory({ clock: new VirtualClock(), random: () => 0, onRuling: () => {} });
  const ruleOf = (maxPerHour: bigint): ExperimentRule => ({
    trial: RULE,
    entry: { name: RULE.name, models: new Set(), taskTypes: new Set(), all: true, stickyBy: "none" },
    ways: [],
    shadows: [
      {
        name: "copy",
        model: "m",
        parameters: undefined,
        share: 1,
        timeoutMs: 1_000,
        maxPerHour: maxPerHour as PicoUsd,
        maxPerMinute: 1_000,
      },
    ],
  });
  const copies = (maxPerHour: bigint) => {
    laboratory.replace([ruleOf(maxPerHour)]);
    const { cap } = laboratory.find(RULE.name)?.shadows[0] ?? expect.fail("there is no shadow");
    let taken = 0;
    while (typeof cap.take() === "object") taken++;
    return taken;
  };
  expect([copies(2_000n), copies(2_000n), copies(4_000n)]).toEqual([20, 0, 10]);
});
