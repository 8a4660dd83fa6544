/** A day's questions through a gateway with a cache and through one without: what it saves is what was not served. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Emulator } from "../../src/emulator/server.ts";
import { samplesOf } from "../support/exposition.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";
import { idealHits, type Prompt, workloadOf } from "./workload.ts";

const SIZE = 150;
const WORKLOAD = workloadOf({ seed: 8, requests: 1_500, distinct: 1_000, exponent: 0.9 });
const PRICES = { input_per_1k_tokens: 0.001, output_per_1k_tokens: 0.01 };

const folder = mkdtempSync(join(tmpdir(), "llmgateway-zipf-"));
const catalog = join(folder, "prices.json");
writeFileSync(
  catalog,
  JSON.stringify({
    version: "zipf",
    last_updated: "2026-01-01",
    providers: { openai: { "gpt-4o": PRICES } },
  }),
);
afterAll(() => rmSync(folder, { recursive: true }));

const start = (rest: object = {}) => startBoth({ prices: { catalog_path: catalog }, ...rest });

async function ask({ url }: GatewayUnderTest, { system, user }: Prompt, path: string) {
  const messages = [
    { role: "system", content: system },
    { role: "user", content: user },
  ];
  const reply = await http1(
    `${url}/v1/gateway/${path}`,
    JSON.stringify({ messages, model: "openai/gpt-4o" }),
  );
  const text = await reply.text();
  expect(reply.status, text).toBe(200);
  return text;
}

/** In trillionths of a dollar, from what the provider says it served. */
function servedPico({ meter }: Emulator): number {
  const { inputTokens, outputTokens } = meter.totals();
  return inputTokens * 1_000_000 + outputTokens * 10_000_000;
}

test("a memory for a part of the questions has the answers that an ideal one has, and saves what they cost", {
  timeout: 120_000,
}, async () => {
  await using without = await start();
  await using cached = await start({ cache: { enabled: true, max_entries: SIZE } });
  let hits = 0;
  for (const [index, prompt] of WORKLOAD.prompts.entries()) {
    const path = index % 3 === 0 ? "stream" : "chat";
    const [told] = await Promise.all([ask(cached, prompt, path), ask(without, prompt, path)]);
    if (told.includes('"cached":true')) hits++;
  }
  const ideal = idealHits(WORKLOAD, SIZE);
  expect(hits / WORKLOAD.prompts.length).toBeGreaterThan(0.3);
  expect(hits).toBeGreaterThanOrEqual(0.95 * ideal);
  expect(cached.emulator.meter.requests).toHaveLength(WORKLOAD.prompts.length - hits);

  const metrics = await (await fetch(`${cached.url}/v1/gateway/metrics`)).text();
  const labels = 'model="gpt-4o",provider="openai"';
  const avoided = servedPico(without.emulator) - servedPico(cached.emulator);
  const [saved = 0] = Object.values(samplesOf(metrics, "llm_cache_savings_usd_total"));
  expect(Math.round(saved * 1e12)).toBe(avoided);
  expect(samplesOf(metrics, "llm_cache_hit_total")).toEqual({ [`kind="exact",${labels}`]: hits });
  expect(samplesOf(metrics, "llm_cache_miss_total")).toEqual({ [labels]: WORKLOAD.prompts.length - hits });
  process.stdout.write(`zipf: ${hits} of ${WORKLOAD.prompts.length} hit, an ideal memory ${ideal}\n`);
});
