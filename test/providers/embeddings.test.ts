/** Every provider that makes embeddings, at its emulator: many texts, and the bill to the pico-dollar. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createGateway } from "../../clients/typescript/src/node.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const USD_PER_1K_TOKENS = 0.000_03;
const PICO_PER_TOKEN = 30_000n;
const DIMENSIONS = 256;
const TEXTS = Array.from({ length: 300 }, (_, index) => `text ${index} of ${index * 7919} and ${index * 104_729}`);

interface Case {
  readonly model: string;
  /** That all the texts need. */
  readonly requests: number;
  readonly dropped: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  openai: { model: "text-embedding-3-small", requests: 1, dropped: ["input_type"] },
  mistral: { model: "codestral-embed", requests: 2, dropped: ["input_type"] },
};

const folder = mkdtempSync(join(tmpdir(), "llmgateway-prices-"));
let both: GatewayUnderTest;
beforeAll(async () => {
  const catalog_path = join(folder, "prices.json");
  const prices = { input_per_1k_tokens: USD_PER_1K_TOKENS, output_per_1k_tokens: 0 };
  const providers = Object.entries(CASES).map(([provider, { model }]) => [provider, { [model]: prices }]);
  writeFileSync(
    catalog_path,
    JSON.stringify({
      version: "test-1",
      last_updated: "2026-01-01",
      providers: Object.fromEntries(providers),
    }),
  );
  both = await startBoth({ prices: { catalog_path } });
});
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test.each(Object.entries(CASES))("%s", async (provider, { model, requests, dropped }) => {
  const gateway = createGateway({ baseUrl: both.url });
  both.emulator.meter.reset();
  const reply = await gateway.embed({
    input: TEXTS,
    model: provider,
    modelVersion: model,
    dimensions: DIMENSIONS,
    inputType: "document",
  });
  expect(reply.embeddings.map(({ index }) => index)).toEqual([...TEXTS.keys()]);
  for (const { values } of reply.embeddings) expect(values).toHaveLength(DIMENSIONS);
  expect(new Set(reply.embeddings.map(({ values }) => values.join())).size).toBe(TEXTS.length);
  expect(reply.dropped).toEqual(dropped);

  await both.emulator.meter.ended(requests);
  const metered = both.emulator.meter.totals();
  expect(metered).toMatchObject({ requests, served: requests });
  expect(reply.attempts).toMatchObject([{ provider, model, outcome: "ok" }]);
  expect(reply.cost).toMatchObject({
    inputTokens: metered.inputTokens,
    outputTokens: 0,
    provenance: "measured",
    actualPicoUsd: BigInt(metered.inputTokens) * PICO_PER_TOKEN,
  });

  const [alone] = (
    await gateway.embed({ input: TEXTS.slice(299), model: `${provider}/${model}`, dimensions: DIMENSIONS })
  ).embeddings;
  expect(alone?.values).toEqual(reply.embeddings[299]?.values);
});

test("a provider that makes none says so", async () => {
  const gateway = createGateway({ baseUrl: both.url });
  const refused = gateway.embed({ input: ["Hello"], model: "claude/claude-sonnet-5" });
  await expect(refused).rejects.toMatchObject({
    kind: "invalid_request",
    violations: [{ field: "model", description: expect.stringContaining("makes no embeddings") }],
  });
});
