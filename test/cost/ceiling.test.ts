import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { usage } from "../../src/core/usage.ts";
import { loadCatalog, type ModelPrice } from "../../src/cost/catalog.ts";
import { dearestWrites, type Foreseen, worstRates } from "../../src/cost/ceiling.ts";
import { priced } from "../../src/cost/price.ts";

/** Where that is not the tier that is asked for, or the standard one: a batch is answered as one or not at all. */
const SERVED: Readonly<Record<string, readonly string[]>> = {
  auto: ["flex", "priority", "batch"],
  batch: ["batch"],
};

describe("worstRates", () => {
  const path = new URL("../../docs/price-catalog.json", import.meta.url);
  const catalog = loadCatalog(readFileSync(path, "utf8"), "it");
  const find = (provider: string, name: string): ModelPrice => {
    const price = catalog.find(provider, name);
    if (!price) throw new Error(`no price for ${name}`);
    return price;
  };

  it("have the dearest division of an input beside them", () => {
    const [sonnet, gpt4o] = [find("claude", "claude-sonnet-4-5"), find("openai", "gpt-4o")];
    expect(dearestWrites(sonnet, { cacheWrites: "none" }, 10)).toEqual({});
    expect(dearestWrites(sonnet, { cacheWrites: "default" }, 10)).toEqual({ cacheWriteTokens: 10 });
    const forAnHour = { cacheWriteTokens: 10, cacheWrite1hTokens: 10 };
    expect(dearestWrites(sonnet, { cacheWrites: "1h" }, 10)).toEqual(forAnHour);
    // Where to write costs no more than to read, nothing is said of it.
    expect(dearestWrites(gpt4o, { cacheWrites: "1h" }, 10)).toEqual({});
  });

  it("are the dearest that the attempt can meet, and no dearer", () => {
    const sonnet = find("claude", "claude-sonnet-4-5");
    const input = (most: number, foreseen: Foreseen) => worstRates(sonnet, most, foreseen).inputPicoPerToken;
    expect(input(200_000, { cacheWrites: "none" })).toBe(3_000_000n);
    expect(input(200_000, { cacheWrites: "default" })).toBe(3_750_000n);
    expect(input(200_000, { cacheWrites: "1h" })).toBe(6_000_000n);
    expect(input(200_001, { cacheWrites: "1h" })).toBe(12_000_000n);
    const flash = find("gemini", "gemini-2.5-flash");
    expect(worstRates(flash, 1, { cacheWrites: "none" }).inputPicoPerToken).toBe(1_000_000n);
    expect(worstRates(flash, 1, { cacheWrites: "none", media: false }).inputPicoPerToken).toBe(300_000n);
    const gpt = find("openai", "gpt-5");
    const output = (serviceTier: string) =>
      worstRates(gpt, 1, { cacheWrites: "none", serviceTier }).outputPicoPerToken;
    expect(["", "flex", "unheard-of", "priority", "auto"].map(output)).toEqual(
      [10, 10, 10, 20, 20].map((usd) => BigInt(usd) * 1_000_000n),
    );
    const search = find("openai", "gpt-4o-search-preview");
    expect(worstRates(search, 1, { cacheWrites: "none" }).fixedPico).toBe(35_000_000_000n);
  });

  it.each([
    ["cached_input_per_1k_tokens", { inputTokens: 9, cachedInputTokens: 9 }],
    ["cache_write_per_1k_tokens", { inputTokens: 9, cacheWriteTokens: 9 }],
    ["cache_write_1h_per_1k_tokens", { inputTokens: 9, cacheWriteTokens: 9, cacheWrite1hTokens: 9 }],
    ["audio_input_per_1k_tokens", { inputTokens: 9, audioInputTokens: 9 }],
    ["image_input_per_1k_tokens", { inputTokens: 9, imageInputTokens: 9 }],
    ["reasoning_per_1k_tokens", { outputTokens: 9, reasoningTokens: 9 }],
    ["audio_output_per_1k_tokens", { outputTokens: 9, audioOutputTokens: 9 }],
    ["image_output_per_1k_tokens", { outputTokens: 9, imageOutputTokens: 9 }],
  ])("are just enough where all tokens are of the dearest kind: %s", (kind, fields) => {
    const cheap = Object.fromEntries(KINDS.map((one) => [one, 0]));
    const price = modelOf({ ...cheap, [kind]: 0.001 });
    const used = usage("measured", fields);
    const worst = worstRates(price, 9, { cacheWrites: "1h" });
    const most =
      worst.inputPicoPerToken * BigInt(used.inputTokens) +
      worst.outputPicoPerToken * BigInt(used.outputTokens);
    expect(most).toBe(9_000_000n);
    expect(priced(price, used)?.total).toBe(most);
  });

  it("are never exceeded by what is used within the limits", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom(...catalog.models()), anyModel),
        fc.nat(600_000),
        fc.nat(100_000),
        fc.constantFrom("none", "default", "1h"),
        fc.constantFrom(undefined, "flex", "priority", "batch", "auto"),
        fc.boolean(),
        fc.nat(3),
        fc.infiniteStream(fc.oneof(fc.constantFrom(0, ALL), fc.double({ min: 0, max: ALL, noNaN: true }))),
        (price, maxInput, maxOutput, cacheWrites, serviceTier, media, images, shares) => {
          const below = (count: number) => Math.floor(count * (shares.next().value ?? 0));
          const part = (whole: number) => below(whole + 1);
          const inputTokens = part(maxInput);
          const cacheWriteTokens = cacheWrites === "none" ? 0 : part(inputTokens);
          const outputTokens = part(maxOutput);
          const served = SERVED[serviceTier ?? ""] ?? [serviceTier ?? "", "default"];
          const used = usage("measured", {
            inputTokens,
            cacheWriteTokens,
            cacheWrite1hTokens: cacheWrites === "1h" ? part(cacheWriteTokens) : 0,
            cachedInputTokens: part(inputTokens - cacheWriteTokens),
            outputTokens,
            reasoningTokens: part(outputTokens),
            serviceTier: served[below(served.length)] ?? "",
            ...(media && {
              audioInputTokens: part(inputTokens),
              imageInputTokens: part(inputTokens),
              audioOutputTokens: part(outputTokens),
              imageOutputTokens: part(outputTokens),
            }),
          });
          const worst = worstRates(price, maxInput, {
            cacheWrites: cacheWrites as Foreseen["cacheWrites"],
            media,
            images,
            ...(serviceTier !== undefined && { serviceTier }),
          });
          const most =
            worst.inputPicoPerToken * BigInt(maxInput) +
            worst.outputPicoPerToken * BigInt(maxOutput) +
            worst.fixedPico;
          expect((priced(price, used, images)?.total ?? most + 1n) <= most).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

/** The largest share below 1. */
const ALL = 1 - Number.EPSILON / 2;

/** With any price for every kind of token, at two lengths of the input and in two service tiers. */
const anyModel = fc
  .array(fc.oneof(fc.constantFrom(0, 1_000), fc.nat(1_000)), { minLength: 40, maxLength: 40 })
  .map((numbers) => {
    const prices = () => Object.fromEntries(KINDS.map((kind) => [kind, (numbers.pop() ?? 0) / 1e9]));
    const longer = () => ({ context_tiers: [{ above_input_tokens: 200_000, prices: prices() }] });
    const flex = { prices: prices(), ...longer() };
    const fees = { usd_per_request: 1e-9, usd_per_image: 1e-9 };
    return modelOf({ ...prices(), ...longer(), service_tiers: { flex }, ...fees });
  });

function modelOf(m: object): ModelPrice {
  const json = { version: "1", last_updated: "2026-01-01", providers: { p: { m } } };
  const price = loadCatalog(JSON.stringify(json), "it").find("p", "m");
  if (!price) throw new Error("no price");
  return price;
}

const KINDS = [
  "input_per_1k_tokens",
  "output_per_1k_tokens",
  "cached_input_per_1k_tokens",
  "cache_write_per_1k_tokens",
  "cache_write_1h_per_1k_tokens",
  "audio_input_per_1k_tokens",
  "image_input_per_1k_tokens",
  "reasoning_per_1k_tokens",
  "audio_output_per_1k_tokens",
  "image_output_per_1k_tokens",
];
