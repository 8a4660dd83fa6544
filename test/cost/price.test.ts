import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { type UsageFields, usage } from "../../src/core/usage.ts";
import { loadCatalog, type ModelPrice } from "../../src/cost/catalog.ts";
import { priced } from "../../src/cost/price.ts";
import { CACHE_WRITE, CACHED, INPUT, OUTPUT, priceOf } from "../support/prices.ts";

const model = priceOf("gpt-4o");

/** A price of its own for each kind of token, in pico-USD a token the same digits that stand in the row. */
const every = row({
  input_per_1k_tokens: 1e-9,
  cached_input_per_1k_tokens: 2e-9,
  cache_write_per_1k_tokens: 3e-9,
  cache_write_1h_per_1k_tokens: 4e-9,
  audio_input_per_1k_tokens: 5e-9,
  image_input_per_1k_tokens: 6e-9,
  output_per_1k_tokens: 7e-9,
  reasoning_per_1k_tokens: 8e-9,
  audio_output_per_1k_tokens: 9e-9,
  image_output_per_1k_tokens: 10e-9,
  usd_per_request: 11e-12,
  usd_per_image: 12e-12,
});

const ALL_KINDS: UsageFields = {
  inputTokens: 100,
  cachedInputTokens: 10,
  cacheWriteTokens: 20,
  cacheWrite1hTokens: 5,
  audioInputTokens: 30,
  imageInputTokens: 15,
  outputTokens: 90,
  reasoningTokens: 40,
  audioOutputTokens: 12,
  imageOutputTokens: 8,
};

function row(prices: object): ModelPrice {
  const json = { version: "1", last_updated: "2026-01-01", providers: { p: { m: prices } } };
  const price = loadCatalog(JSON.stringify(json), "test").find("p", "m");
  if (!price) throw new Error("no price");
  return price;
}

function total(price: ModelPrice, used: Usage): bigint | undefined {
  return priced(price, used)?.total;
}

describe("priced", () => {
  it("charges each kind of token at its own price, each token once, and says so item by item", () => {
    const cost = priced(every, usage("measured", ALL_KINDS), 3);
    expect(
      cost?.items.map(({ kind, count, unitPicoUsd, picoUsd }) => [kind, count, unitPicoUsd, picoUsd]),
    ).toEqual([
      ["input", 25n, 1n, 25n],
      ["cached_input", 10n, 2n, 20n],
      ["cache_write", 15n, 3n, 45n],
      ["cache_write_1h", 5n, 4n, 20n],
      ["audio_input", 30n, 5n, 150n],
      ["image_input", 15n, 6n, 90n],
      ["output", 30n, 7n, 210n],
      ["reasoning", 40n, 8n, 320n],
      ["audio_output", 12n, 9n, 108n],
      ["image_output", 8n, 10n, 80n],
      ["request", 1n, 11n, 11n],
      ["image", 3n, 12n, 36n],
    ]);
    expect(cost).toMatchObject({ total: 1_115n, isAssumed: false });
  });

  it("charges cached input like fresh input where the catalog says nothing else, thoughts like what is said", () => {
    const used = { inputTokens: 100, cachedInputTokens: 30, cacheWriteTokens: 20 };
    expect(total(priceOf("boundless"), usage("measured", used))).toBe(100n * INPUT);
    const thought = usage("measured", { outputTokens: 7, reasoningTokens: 5 });
    expect(priced(model, thought)).toMatchObject({
      items: [
        { kind: "output", count: 2n },
        { kind: "reasoning", count: 5n, unitPicoUsd: OUTPUT },
      ],
      total: 7n * OUTPUT,
    });
  });

  it("charges estimates like measurements, and does not know the cost of what nobody knows", () => {
    expect(total(model, usage("estimated", { inputTokens: 1 }))).toBe(INPUT);
    expect(priced(model, usage("unknown"))).toBeUndefined();
    expect(priced(model, usage("measured"))).toEqual({ items: [], total: 0n, isAssumed: false });
  });

  it("never charges less than nothing, and no token twice, whatever a provider reports", () => {
    expect(total(model, usage("measured", { inputTokens: 10, cachedInputTokens: 30 }))).toBe(30n * CACHED);
    const contradictory = { inputTokens: 5, cacheWrite1hTokens: 9, audioInputTokens: 9, imageInputTokens: 9 };
    expect(total(priceOf("rich"), usage("measured", contradictory))).toBe(5n * 2_000_000n);
    const spoken = { outputTokens: 5, reasoningTokens: 4, audioOutputTokens: 9, imageOutputTokens: 9 };
    expect(total(every, usage("measured", spoken))).toBe(4n * 8n + 9n + 11n);
  });

  it("charges what is written to the cache at its price", () => {
    const used = usage("measured", { inputTokens: 100, cachedInputTokens: 30, cacheWriteTokens: 20 });
    expect(total(model, used)).toBe(50n * INPUT + 30n * CACHED + 20n * CACHE_WRITE);
  });

  it("charges all of a long call more, by its whole input, cached tokens included", () => {
    const long = (inputTokens: number) =>
      usage("measured", { inputTokens, cachedInputTokens: 60, outputTokens: 1 });
    expect(total(priceOf("tiered"), long(100))).toBe(100n * INPUT + OUTPUT);
    expect(total(priceOf("tiered"), long(101))).toBe(101n * 2n * INPUT + 3n * OUTPUT);
  });

  it("charges by the service tier that served, and says where it had to assume a price", () => {
    const prices = (input: number, output: number) => ({
      input_per_1k_tokens: input,
      output_per_1k_tokens: output,
    });
    const tiered = row({
      ...prices(10e-9, 20e-9),
      service_tiers: {
        flex: { prices: prices(5e-9, 10e-9) },
        priority: {
          prices: prices(15e-9, 30e-9),
          context_tiers: [{ above_input_tokens: 100, prices: prices(40e-9, 80e-9) }],
        },
      },
      context_tiers: [{ above_input_tokens: 100, prices: prices(3e-9, 25e-9) }],
    });
    const cost = (serviceTier: string, inputTokens: number) => {
      const { items, isAssumed } =
        priced(tiered, usage("measured", { serviceTier, inputTokens, outputTokens: 1 })) ?? {};
      return [...(items ?? []).map(({ unitPicoUsd }) => unitPicoUsd), isAssumed];
    };
    for (const standard of ["", "default", "standard"]) {
      expect(cost(standard, 100)).toEqual([10n, 20n, false]);
      expect(cost(standard, 101)).toEqual([3n, 25n, false]);
    }
    expect(cost("flex", 100)).toEqual([5n, 10n, false]);
    // Nobody says what a long input costs in this tier: the dearer of both.
    expect(cost("flex", 101)).toEqual([5n, 25n, true]);
    expect(cost("priority", 100)).toEqual([15n, 30n, false]);
    expect(cost("priority", 101)).toEqual([40n, 80n, false]);
    expect(cost("scale", 100)).toEqual([10n, 20n, true]);
    expect(cost("scale", 101)).toEqual([3n, 25n, true]);
  });

  it("has items that add up to the total, and a token in each of them for every one that was used", () => {
    fc.assert(
      fc.property(
        usages,
        fc.constantFrom(every, model, priceOf("rich"), priceOf("tiered")),
        (used, price) => {
          const { items = [], total = -1n } = priced(price, used) ?? {};
          expect(items.reduce((sum, { picoUsd }) => sum + picoUsd, 0n)).toBe(total);
          for (const { count, unitPicoUsd, picoUsd } of items) expect(count * unitPicoUsd).toBe(picoUsd);
          const tokens = items.filter(({ kind }) => kind !== "request");
          expect(tokens.reduce((sum, { count }) => sum + count, 0n)).toBe(BigInt(used.totalTokens));
          expect(new Set(items.map(({ kind }) => kind)).size).toBe(items.length);
        },
      ),
    );
  });
});

/** Of any kinds, with parts that are no more than their whole. */
const usages = fc
  .record({
    fresh: fc.nat(1_000_000),
    cachedInputTokens: fc.nat(1_000_000),
    cacheWriteTokens: fc.nat(1_000_000),
    cacheWrite1hTokens: fc.nat(1_000_000),
    audioInputTokens: fc.nat(2_000_000),
    imageInputTokens: fc.nat(2_000_000),
    outputTokens: fc.nat(1_000_000),
    reasoningTokens: fc.nat(2_000_000),
    audioOutputTokens: fc.nat(2_000_000),
    imageOutputTokens: fc.nat(2_000_000),
  })
  .map(({ fresh, ...fields }) => {
    const inputTokens = fresh + fields.cachedInputTokens + fields.cacheWriteTokens;
    return usage("measured", { ...fields, inputTokens });
  });
