import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { usage } from "../../src/core/usage.ts";
import { loadCatalog, type ModelPrice } from "../../src/cost/catalog.ts";
import { type Foreseen, worstRates } from "../../src/cost/ceiling.ts";
import { priced } from "../../src/cost/price.ts";

describe("worstRates", () => {
  const path = new URL("../../docs/price-catalog.json", import.meta.url);
  const catalog = loadCatalog(readFileSync(path, "utf8"), "it");
  const find = (provider: string, name: string): ModelPrice => {
    const price = catalog.find(provider, name);
    if (!price) throw new Error(`no price for ${name}`);
    return price;
  };

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

  it("are never exceeded by what is used within the limits", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...catalog.models()),
        fc.nat(600_000),
        fc.nat(100_000),
        fc.constantFrom("none", "default", "1h"),
        fc.constantFrom(undefined, "flex", "priority", "batch", "auto"),
        fc.boolean(),
        fc.nat(3),
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        (price, maxInput, maxOutput, cacheWrites, serviceTier, media, images, shares) => {
          const part = (whole: number) => Math.floor(whole * (shares.next().value ?? 0));
          const inputTokens = part(maxInput + 1);
          const cacheWriteTokens = cacheWrites === "none" ? 0 : part(inputTokens);
          const outputTokens = part(maxOutput + 1);
          const served =
            serviceTier === "auto" ? ["flex", "priority", "batch"] : [serviceTier ?? "", "default"];
          const used = usage("measured", {
            inputTokens,
            cacheWriteTokens,
            cacheWrite1hTokens: cacheWrites === "1h" ? part(cacheWriteTokens) : 0,
            cachedInputTokens: part(inputTokens - cacheWriteTokens),
            outputTokens,
            reasoningTokens: part(outputTokens),
            serviceTier: served[part(served.length)] ?? "",
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
