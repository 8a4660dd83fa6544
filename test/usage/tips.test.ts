/** Ways to spend less, of sums that a test can add up by hand: what is told, with which dollars, and what is not. */
import { expect, test } from "vitest";
import type { Target } from "../../src/core/call.ts";
import type { UsageSums } from "../../src/core/usage-store.ts";
import { type Catalog, loadCatalog } from "../../src/cost/catalog.ts";
import { type TipMeans, tipsOf } from "../../src/cost/tips/tips.ts";

/** By a thousand tokens, in dollars. */
const row = (input: number, output: number, cached = input, write = input) => ({
  input_per_1k_tokens: input,
  output_per_1k_tokens: output,
  cached_input_per_1k_tokens: cached,
  cache_write_per_1k_tokens: write,
});
const catalog: Catalog = loadCatalog(
  JSON.stringify({
    version: "tips",
    last_updated: "2026-06-01",
    providers: {
      openai: {
        large: row(0.01, 0.04, 0.001),
        middle: row(0.004, 0.016),
        small: row(0.001, 0.004, 0.0001),
        half: row(0.006, 0.024),
      },
      claude: { marked: row(0.01, 0.04, 0.001, 0.0125) },
    },
  }),
  "test",
);
const priceOf = ({ provider, model }: Target) => catalog.find(provider, model);
const means: TipMeans = { priceOf, alternatives: () => [], cacheEnabled: true };

function sumsOf(key: string, model: string, given: Partial<UsageSums>): UsageSums {
  return {
    group: [key, model === "marked" ? "claude" : "openai", model],
    attempts: 1_000,
    ok: 1_000,
    failed: 0,
    abandoned: 0,
    unknown: 0,
    estimated: 0,
    unpriced: 0,
    inputTokens: 2_000_000,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
    costPicoUsd: 10n * 10n ** 12n,
    estimatedPicoUsd: 0n,
    unknownPicoUsd: 0n,
    requests: 1_000,
    errors: 0,
    cachedRequests: 0,
    savedPicoUsd: 0n,
    adjustmentPicoUsd: 0n,
    latencies: [],
    ...given,
  };
}

const ofKind = (kind: string, sums: readonly UsageSums[], given: Partial<TipMeans> = {}) =>
  tipsOf(sums, { ...means, ...given }).filter((tip) => tip.kind === kind);

test("a model that hardly reads cached prompts at a key where others do", () => {
  const [tip, ...more] = ofKind("prompt_cache", [
    sumsOf("search", "large", { cachedInputTokens: 100_000 }),
    sumsOf("search", "small", { inputTokens: 4_000_000, cachedInputTokens: 2_200_000 }),
    sumsOf("mail", "small", { cachedInputTokens: 700_000 }),
  ]);
  // 50 % more of 2,000,000 tokens, each for $0.000009 less.
  expect(tip).toMatchObject({
    key: "search",
    provider: "openai",
    model: "large",
    savesPicoUsd: 9n * 10n ** 12n,
  });
  expect(tip?.savesUsd).toBe(9);
  expect(tip?.text).toBe(
    "openai/large reads 5 % of its input from the provider's prompt cache, the key's other models 55 %: as much of it would have saved $9.00",
  );
  expect(tip?.advice).toContain("first");
  expect(more).toEqual([]);
});

test("where a key has no other model, the model's other keys are the example, and writing is paid for", () => {
  const [tip] = ofKind("prompt_cache", [
    sumsOf("one", "marked", {}),
    sumsOf("two", "marked", { cachedInputTokens: 1_000_000, cacheWriteTokens: 200_000 }),
  ]);
  // 1,000,000 tokens for $0.000009 less, and 200,000 written for $0.0000025 more.
  expect(tip).toMatchObject({ key: "one", model: "marked", savesPicoUsd: 8_500_000_000_000n });
});

test.each([
  ["short prompts", sumsOf("search", "large", { inputTokens: 900_000 })],
  ["few attempts", sumsOf("search", "large", { ok: 10, inputTokens: 20_000 })],
  ["a model without a cheaper cached price", sumsOf("search", "middle", {})],
  ["a model without a price", sumsOf("search", "unlisted", {})],
  ["a share like the others'", sumsOf("search", "large", { cachedInputTokens: 700_000 })],
])("no word of the prompt cache for %s", (_, sums) => {
  const example = sumsOf("search", "small", { cachedInputTokens: 1_100_000 });
  expect(ofKind("prompt_cache", [sums, example])).toEqual([]);
});

test("a model that is as able for less than half, the dearest of those, with the caveat", () => {
  const alternatives = () =>
    ["half", "middle", "small"].flatMap((model) => {
      const target = { provider: "openai", model };
      const price = priceOf(target);
      return price ? [{ target, price }] : [];
    });
  const sums = [
    sumsOf("search", "large", {
      inputTokens: 1_000_000,
      outputTokens: 100_000,
      costPicoUsd: 14n * 10n ** 12n,
    }),
    sumsOf("mail", "large", { inputTokens: 100, costPicoUsd: 1n }),
  ];
  const [tip, ...more] = ofKind("cheaper_model", sums, { alternatives });
  // $10 and $4 are $4 and $1.60 there.
  expect(tip).toMatchObject({ key: "search", model: "large", savesPicoUsd: 8_400_000_000_000n });
  expect(tip?.text).toBe(
    "openai/middle has the abilities of openai/large at 40 % of its price for the same tokens: $8.40 less",
  );
  expect(tip?.advice).toContain("not how good an answer is");
  expect(more, "what saves next to nothing is left out").toEqual([]);
});

test("batches at half the price would save half as much", () => {
  const target = { provider: "openai", model: "middle" };
  const price = catalog.find("openai", "middle");
  const alternatives = () => (price ? [{ target, price }] : []);
  const sums = [sumsOf("search", "large", { inputTokens: 1_000_000, costPicoUsd: 5n * 10n ** 12n })];
  const [tip] = ofKind("cheaper_model", sums, { alternatives });
  expect(tip?.savesPicoUsd).toBe(3n * 10n ** 12n);
});

test("the gateway's cache: what it saved, and whom it never answered", () => {
  const sums = [
    sumsOf("search", "large", { cachedRequests: 300, savedPicoUsd: 25n * 10n ** 11n }),
    sumsOf("mail", "large", {}),
    sumsOf("trial", "large", { requests: 99 }),
  ];
  const [tip] = ofKind("answer_cache", sums);
  expect(tip?.text).toBe(
    "The gateway's cache answered 14 % of the requests, which saved $2.50; none of those of mail",
  );
  expect(tip?.savesUsd).toBeUndefined();
});

test("the gateway's cache where it is off: no guess", () => {
  const [tip] = ofKind("answer_cache", [sumsOf("search", "large", {})], { cacheEnabled: false });
  expect(tip?.text).toContain("is off");
  expect(tip?.savesUsd).toBeUndefined();
  expect(tip?.advice).toContain("cache.enabled");
});

test("the most saving stands first, and nothing is told of nothing", () => {
  const tips = ofKind("prompt_cache", [
    sumsOf("search", "small", {}),
    sumsOf("search", "large", {}),
    sumsOf("search", "marked", { inputTokens: 20_000_000, cachedInputTokens: 15_000_000, costPicoUsd: 1n }),
  ]);
  expect(tips.map(({ model }) => model)).toEqual(["large", "small"]);
  expect(tipsOf([], means)).toEqual([]);
});
