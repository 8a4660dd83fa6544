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
const TEXTS = Array.from(
  { length: 300 },
  (_, index) => `text ${index} of ${index * 7919} and ${index * 104_729}`,
);

interface Case {
  readonly provider: string;
  readonly model: string;
  /** That all the texts need. */
  readonly requests: number;
  /** Whether the texts go out by their type, or the reply says that they did not. */
  readonly dropped?: readonly string[];
  /** For those that report no usage. */
  readonly estimated?: true;
}

const CASES: readonly Case[] = [
  { provider: "openai", model: "text-embedding-3-small", requests: 1, dropped: ["input_type"] },
  { provider: "mistral", model: "codestral-embed", requests: 2, dropped: ["input_type"] },
  { provider: "gemini", model: "gemini-embedding-001", requests: 3, estimated: true },
  { provider: "vertex_ai", model: "text-embedding-005", requests: 2 },
  { provider: "vertex_ai", model: "gemini-embedding-001", requests: 300 },
  { provider: "bedrock", model: "amazon.titan-embed-text-v2:0", requests: 300, dropped: ["input_type"] },
  { provider: "bedrock", model: "us.cohere.embed-v4:0", requests: 4 },
];

const folder = mkdtempSync(join(tmpdir(), "llmgateway-prices-"));
let both: GatewayUnderTest;
beforeAll(async () => {
  const catalog_path = join(folder, "prices.json");
  const prices = { input_per_1k_tokens: USD_PER_1K_TOKENS, output_per_1k_tokens: 0 };
  const providers = Map.groupBy(CASES, ({ provider }) => provider);
  const pricesOf = (cases: readonly Case[]) => Object.fromEntries(cases.map(({ model }) => [model, prices]));
  writeFileSync(
    catalog_path,
    JSON.stringify({
      version: "test-1",
      last_updated: "2026-01-01",
      providers: Object.fromEntries([...providers].map(([provider, cases]) => [provider, pricesOf(cases)])),
    }),
  );
  both = await startBoth({ prices: { catalog_path } });
});
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test.each(CASES)("$provider/$model", async ({ provider, model, requests, dropped = [], estimated }) => {
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
  expect(reply.cost).toMatchObject({ outputTokens: 0, provenance: estimated ? "estimated" : "measured" });
  const { inputTokens = 0, actualPicoUsd } = reply.cost ?? {};
  if (!estimated) expect(inputTokens).toBe(metered.inputTokens);
  expect(inputTokens).toBeGreaterThan(metered.inputTokens / 2);
  expect(actualPicoUsd).toBe(BigInt(inputTokens) * PICO_PER_TOKEN);

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
