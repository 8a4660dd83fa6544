import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Catalog, loadCatalog, ratesAt } from "../../src/cost/catalog.ts";
import { CatalogError } from "../../src/cost/catalog-file.ts";
import type { Rates, WrittenPrices } from "../../src/cost/rates.ts";

const PRICE = { input_per_1k_tokens: 0.005, output_per_1k_tokens: 0.015 };

function catalogOf(providers: object): string {
  return JSON.stringify({ version: "1.0", last_updated: "2025-10-31", providers });
}

function load(providers: object): Catalog {
  return loadCatalog(catalogOf(providers), "prices.json");
}

function problems(json: string): string[] {
  try {
    loadCatalog(json, "prices.json");
    return [];
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error;
    for (const { description } of error.violations) expect(error.message).toContain(description);
    expect(error.message).toContain("prices.json");
    return error.violations.map(({ field, description }) => `${field}: ${description}`);
  }
}

describe("a catalog", () => {
  it("is read in the plan's schema", () => {
    const catalog = load({
      openai: { "gpt-4o": PRICE },
      vertex_ai: { "gemini-2.0-flash": { input_per_1k_tokens: 0.00025, output_per_1k_tokens: 0.00075 } },
    });
    expect([catalog.version, catalog.lastUpdated]).toEqual(["1.0", "2025-10-31"]);
    expect(catalog.models().map((model) => `${model.provider}/${model.model}`)).toEqual([
      "openai/gpt-4o",
      "vertex_ai/gemini-2.0-flash",
    ]);
    expect(catalog.find("vertex_ai", "gemini-2.0-flash")).toMatchObject({
      inputPicoPerToken: 250_000n,
      outputPicoPerToken: 750_000n,
    });
  });

  it("prices to the pico-dollar what floats cannot hold", () => {
    const price = load({
      p: {
        m: {
          input_per_1k_tokens: 0.000_037_5,
          output_per_1k_tokens: 0.1,
          cached_input_per_1k_tokens: 0.000_003_75,
          cache_write_per_1k_tokens: 0.000_000_001,
          context_window_tokens: 100,
          max_output_tokens: 10,
        },
      },
    }).find("p", "m");
    expect(price).toMatchObject({
      inputPicoPerToken: 37_500n,
      outputPicoPerToken: 100_000_000n,
      cachedInputPicoPerToken: 3_750n,
      cacheWritePicoPerToken: 1n,
      contextWindowTokens: 100,
      maxOutputTokens: 10,
    });
    expect(price?.rates.inputPer1kTokens).toBe(0.000_037_5);
  });

  it("charges cached tokens as fresh ones where it says nothing, and nothing where it says 0", () => {
    const catalog = load({ p: { plain: PRICE, free: { ...PRICE, cached_input_per_1k_tokens: 0 } } });
    expect(catalog.find("p", "plain")).toMatchObject({
      cachedInputPicoPerToken: 5_000_000n,
      cacheWritePicoPerToken: 5_000_000n,
    });
    expect(catalog.find("p", "free")?.cachedInputPicoPerToken).toBe(0n);
    expect(catalog.find("p", "plain")).not.toHaveProperty("contextWindowTokens");
  });

  it("prices a long input by the longest tier that it reaches, all of its tokens", () => {
    const tier = (above_input_tokens: number, usd: number) => ({
      above_input_tokens,
      prices: { input_per_1k_tokens: usd, output_per_1k_tokens: 2 * usd },
    });
    const price = load({ p: { m: { ...PRICE, context_tiers: [tier(100, 1), tier(200, 2)] } } }).find(
      "p",
      "m",
    );
    if (!price) throw new Error("no price");
    const inputAt = (tokens: number) => ratesAt(price, tokens).inputPicoPerToken;
    expect([0, 100, 101, 200, 201].map(inputAt)).toEqual([
      5_000_000n,
      5_000_000n,
      1_000_000_000n,
      1_000_000_000n,
      2_000_000_000n,
    ]);
    expect(ratesAt(price, 101)).toMatchObject({
      outputPicoPerToken: 2_000_000_000n,
      cachedInputPicoPerToken: 1_000_000_000n,
      cacheWritePicoPerToken: 1_000_000_000n,
    });
  });

  it("has a region's prices for a provider of that region alone", () => {
    const gov = { input_per_1k_tokens: 1, output_per_1k_tokens: 2 };
    const catalog = load({ p: { m: { ...PRICE, aliases: ["x"], regions: { "us-gov-east-1": gov } } } });
    expect(catalog.find("p", "m", "us-gov-east-1")).toMatchObject({
      model: "m",
      inputPicoPerToken: 1_000_000_000n,
      outputPicoPerToken: 2_000_000_000n,
    });
    expect(catalog.find("p", "x", "us-gov-east-1")).toBe(catalog.find("p", "m", "us-gov-east-1"));
    for (const region of ["", "us-gov", "constructor"]) {
      expect(catalog.find("p", "m", region)?.inputPicoPerToken).toBe(5_000_000n);
    }
    expect(catalog.models()).toHaveLength(1);
  });

  it("derives what is not written: an hour's cache from the default one, what is heard from what is read", () => {
    const row = { ...PRICE, cache_write_per_1k_tokens: 0.006, audio_output_per_1k_tokens: 0.02 };
    expect(load({ p: { m: row } }).find("p", "m")).toMatchObject({
      cacheWrite1hPicoPerToken: 6_000_000n,
      audioInputPicoPerToken: 5_000_000n,
      audioOutputPicoPerToken: 20_000_000n,
    });
  });

  it("knows what a model can do, and that nothing is written by one that makes embeddings", () => {
    const capabilities = { chat: false, embeddings: true };
    const catalog = load({ p: { m: { input_per_1k_tokens: 0.1, capabilities }, plain: PRICE } });
    expect(catalog.find("p", "m")).toMatchObject({ capabilities, outputPicoPerToken: 0n });
    expect(catalog.find("p", "m")?.capabilities?.tools).toBeUndefined();
    expect(catalog.find("p", "plain")).not.toHaveProperty("capabilities");
  });

  it("finds aliases to the letter, never by prefix", () => {
    const catalog = load({
      openai: { "gpt-4o": { ...PRICE, aliases: ["gpt-4o-2024-08-06"] } },
      azure: { "gpt-4o": PRICE },
    });
    expect(catalog.find("openai", "gpt-4o-2024-08-06")).toBe(catalog.find("openai", "gpt-4o"));
    expect(catalog.find("openai", "gpt-4o-2024-08-06")?.model).toBe("gpt-4o");
    for (const model of ["gpt-4o-2024", "gpt-4o-2024-08-06-x", "GPT-4o", "", "constructor", "__proto__"]) {
      expect(catalog.find("openai", model)).toBeUndefined();
    }
    expect(catalog.find("azure", "gpt-4o-2024-08-06")).toBeUndefined();
    expect(catalog.find("constructor", "gpt-4o")).toBeUndefined();
    expect(catalog.models()).toHaveLength(2);
    expect(catalog.providersOf("gpt-4o")).toEqual(["openai", "azure"]);
    expect(catalog.providersOf("gpt-4o-2024-08-06")).toEqual(["openai"]);
    expect(catalog.providersOf("gpt-4")).toEqual([]);
  });

  it("cannot be changed", () => {
    const catalog = load({ openai: { "gpt-4o": { ...PRICE, aliases: ["a"] } } });
    const price = catalog.find("openai", "gpt-4o");
    const parts = [
      catalog,
      catalog.models(),
      catalog.providersOf("a"),
      catalog.providersOf("no"),
      price,
      price?.rates,
      price?.rates.aliases,
    ];
    expect(parts.every((part) => Object.isFrozen(part))).toBe(true);
  });
});

describe("an error", () => {
  const NOT_KNOWN =
    "is missing; write 0 only where the tokens are free, and leave out a model whose price is not known";

  it.each<[string, object, string[]]>([
    [
      "a misspelt price",
      { openai: { "gpt-4.1": { ...PRICE, input_per_1k: 1 } } },
      [
        expect.stringContaining(
          'providers.openai["gpt-4.1"].input_per_1k: unknown field "input_per_1k"',
        ) as unknown as string,
      ],
    ],
    [
      "a price as text",
      { openai: { m: { ...PRICE, input_per_1k_tokens: "cheap" } } },
      ["providers.openai.m.input_per_1k_tokens: must be a number (double), got a string"],
    ],
    [
      "a negative price",
      { "open.ai": { m: { ...PRICE, output_per_1k_tokens: -1 } } },
      [expect.stringMatching(/^providers\["open\.ai"\]\.m\.output_per_1k_tokens: .*0/) as unknown as string],
    ],
    [
      "a price that is left out",
      { openai: { m: { input_per_1k_tokens: 1 } } },
      [`providers.openai.m.output_per_1k_tokens: ${NOT_KNOWN}`],
    ],
    [
      "a price that is null",
      { openai: { m: { ...PRICE, input_per_1k_tokens: null } } },
      [`providers.openai.m.input_per_1k_tokens: ${NOT_KNOWN}`],
    ],
    [
      "a price that is left out where it is another",
      {
        openai: {
          m: {
            ...PRICE,
            context_tiers: [{ above_input_tokens: 1, prices: { input_per_1k_tokens: 1 } }],
            regions: { "eu-west-1": { output_per_1k_tokens: 1 } },
          },
        },
      },
      [
        `providers.openai.m.context_tiers[0].prices.output_per_1k_tokens: ${NOT_KNOWN}`,
        `providers.openai.m.regions.eu-west-1.input_per_1k_tokens: ${NOT_KNOWN}`,
      ],
    ],
    [
      "a price that a tier or a region cannot charge",
      {
        openai: {
          m: {
            ...PRICE,
            context_tiers: [{ above_input_tokens: 1, prices: { ...PRICE, input_per_1k_tokens: 1.5e-9 } }],
            regions: { eu: { ...PRICE, input_per_1k_tokens: 1.5e-9 } },
          },
        },
      },
      [
        expect.stringContaining("m.context_tiers[0].prices.input_per_1k_tokens: 1.5e-9") as unknown as string,
        expect.stringContaining("m.regions.eu.input_per_1k_tokens: 1.5e-9") as unknown as string,
      ],
    ],
    [
      "tiers in disorder",
      {
        openai: {
          m: {
            ...PRICE,
            context_tiers: [
              { above_input_tokens: 2, prices: PRICE },
              { above_input_tokens: 2, prices: PRICE },
            ],
          },
        },
      },
      ["providers.openai.m.context_tiers[1].above_input_tokens: must be more than the one before"],
    ],
    [
      "a price finer than a pico-dollar",
      { openai: { m: { ...PRICE, cached_input_per_1k_tokens: 1.5e-9 } } },
      [
        "providers.openai.m.cached_input_per_1k_tokens: 1.5e-9 USD for 1,000 tokens is not a whole number of pico-USD for one",
      ],
    ],
    [
      "a model that is a list",
      { openai: { models: [] } },
      ["providers.openai.models: must be an object, got a list"],
    ],
    ["a provider that is text", { openai: "x" }, ["providers.openai: must be an object, got a string"]],
    [
      "no room",
      { openai: { m: { ...PRICE, max_output_tokens: 0 } } },
      [expect.stringContaining("providers.openai.m.max_output_tokens: ") as unknown as string],
    ],
    [
      "an alias that is a model's name",
      { openai: { a: { ...PRICE, aliases: ["b"] }, b: PRICE } },
      ['providers.openai.a.aliases[0]: already names "b"; give each name to one model'],
    ],
    [
      "an alias of two models",
      { openai: { a: { ...PRICE, aliases: ["x"] }, b: { ...PRICE, aliases: ["y", "x"] } } },
      ['providers.openai.b.aliases[1]: already names "a"; give each name to one model'],
    ],
    [
      "an empty alias",
      { openai: { a: { ...PRICE, aliases: [""] } } },
      ["providers.openai.a.aliases[0]: is empty"],
    ],
  ])("names %s", (_, providers, expected) => {
    expect(problems(catalogOf(providers))).toEqual(expected);
  });

  it("names a model that is given twice, which JSON alone would not", () => {
    const json = catalogOf({ openai: { "gpt-4o": PRICE, other: PRICE } }).replace('"other"', '\n"gpt-4o"');
    expect(problems(json)).toEqual([': line 2: "gpt-4o" is given twice in one object']);
  });

  it("names what is missing at the top", () => {
    expect(problems("{}").map((problem) => problem.split(":")[0])).toEqual(["version", "last_updated"]);
    expect(problems("[]")).toEqual([": must be an object, got a list"]);
  });

  it.each(["", "{", "version: 1", '{"version": "1",}'])("refuses what is not JSON: %j", (json) => {
    expect(problems(json)).toEqual([expect.stringContaining(": is not JSON: ")]);
  });
});

describe("docs/price-catalog.json", () => {
  const catalog = loadCatalog(
    readFileSync(new URL("../../docs/price-catalog.json", import.meta.url), "utf8"),
    "it",
  );

  it.each([
    ["openai", "gpt-4o", 2_500_000n, 10_000_000n, 1_250_000n],
    ["openai", "gpt-4o-mini-2024-07-18", 150_000n, 600_000n, 75_000n],
    ["openai", "gpt-4.1-nano", 100_000n, 400_000n, 25_000n],
    ["openai", "gpt-5-nano", 50_000n, 400_000n, 5_000n],
    ["openai", "o4-mini", 1_100_000n, 4_400_000n, 275_000n],
    ["openai", "text-embedding-3-small", 20_000n, 0n, 20_000n],
    ["vertex_ai", "gemini-2.0-flash-lite", 75_000n, 300_000n, 18_750n],
    ["mock", "mock-echo", 1_000_000n, 2_000_000n, 1_000_000n],
    ["mock", "mock-embed", 100_000n, 0n, 100_000n],
  ])("prices %s/%s", (provider, model, input, output, cached) => {
    expect(catalog.find(provider, model)).toMatchObject({
      inputPicoPerToken: input,
      outputPicoPerToken: output,
      cachedInputPicoPerToken: cached,
    });
  });

  it("has every provider, and the models that people ask for", () => {
    for (const [provider, model] of [
      ["claude", "claude-3-haiku"],
      ["claude", "claude-3-opus"],
      ["claude", "claude-sonnet-4-5-20250929"],
      ["gemini", "gemini-2.5-flash"],
      ["gemini", "gemini-embedding-001"],
      ["mistral", "mistral-large-latest"],
      ["mistral", "mistral-embed"],
      ["vertex_ai", "gemini-2.0-flash"],
      ["vertex_ai", "google/gemini-2.0-flash"],
      ["vertex_ai", "gemini-1.5-flash"],
      ["vertex_ai", "gemini-1.5-pro"],
      ["vertex_ai", "claude-3-5-haiku@20241022"],
      ["vertex_ai", "text-embedding-005"],
      ["bedrock", "anthropic.claude-3-haiku-20240307-v1:0"],
      ["bedrock", "anthropic.claude-3-sonnet-20240229-v1:0"],
      ["bedrock", "anthropic.claude-3-opus-20240229-v1:0"],
      ["bedrock", "amazon.titan-text-express-v1"],
      ["bedrock", "amazon.titan-embed-text-v2:0"],
      ["bedrock", "meta.llama3-70b-instruct-v1:0"],
      ["bedrock", "us.amazon.nova-pro-v1:0"],
      ["bedrock", "mistral.mistral-large-2402-v1:0"],
    ] as const) {
      expect(catalog.find(provider, model), `${provider}/${model}`).toBeDefined();
    }
  });

  it("prices what a long input, a region and an hour's cache change", () => {
    const sonnet = catalog.find("claude", "claude-sonnet-4-5");
    expect(sonnet?.cacheWrite1hPicoPerToken).toBe(6_000_000n);
    expect(sonnet && ratesAt(sonnet, 200_001).inputPicoPerToken).toBe(6_000_000n);
    const llama = "meta.llama3-8b-instruct-v1:0";
    expect(catalog.find("bedrock", llama, "eu-west-2")?.inputPicoPerToken).toBe(390_000n);
    expect(catalog.find("bedrock", llama, "us-east-1")?.inputPicoPerToken).toBe(300_000n);
  });

  const prices = catalog.models().flatMap((model) => [
    { model, rates: model as Rates, written: model.rates as WrittenPrices },
    ...model.tiers.map(({ rates }, index) => ({
      model,
      rates,
      written: model.rates.contextTiers[index]?.prices as WrittenPrices,
    })),
    ...Object.entries(model.rates.regions).map(([region, written]) => ({
      model,
      rates: catalog.find(model.provider, model.model, region) as Rates,
      written: written as WrittenPrices,
    })),
  ]);

  it("gives nothing away, and charges no more for less", () => {
    for (const { model, rates } of prices) {
      const name = `${model.provider}/${model.model}`;
      const writes = model.capabilities?.chat !== false;
      expect(rates.inputPicoPerToken > 0n, name).toBe(true);
      expect(rates.outputPicoPerToken > 0n, name).toBe(writes);
      expect(rates.cachedInputPicoPerToken > 0n, name).toBe(true);
      expect(rates.cachedInputPicoPerToken <= rates.inputPicoPerToken, name).toBe(true);
      expect(rates.cacheWritePicoPerToken >= rates.inputPicoPerToken, name).toBe(true);
      expect(rates.cacheWrite1hPicoPerToken >= rates.cacheWritePicoPerToken, name).toBe(true);
      // Ten dollars for a thousand tokens: a price that slipped by three digits is above it.
      expect(rates.outputPicoPerToken < 10_000_000_000n, name).toBe(true);
    }
  });

  it("has in each tier and region whatever the model's row has a price for in the cache", () => {
    for (const { model, written } of prices) {
      for (const field of [
        "cachedInputPer1kTokens",
        "cacheWritePer1kTokens",
        "cacheWrite1hPer1kTokens",
      ] as const) {
        if (model.rates[field] !== undefined) expect(written[field], model.model).toBeDefined();
      }
    }
  });

  it("charges more for a longer input", () => {
    for (const model of catalog.models()) {
      let before: Rates = model;
      for (const { rates } of model.tiers) {
        expect(rates.inputPicoPerToken > before.inputPicoPerToken, model.model).toBe(true);
        expect(rates.outputPicoPerToken > before.outputPicoPerToken, model.model).toBe(true);
        before = rates;
      }
    }
  });

  it("says of every row where it was read, and whether it chats or makes embeddings", () => {
    const models = catalog.models();
    expect(models.length).toBeGreaterThan(350);
    for (const { provider, model, rates, capabilities } of models) {
      expect(rates.source, `${provider}/${model}`).not.toBe("");
      const { chat, embeddings } = capabilities ?? {};
      expect([chat, embeddings].sort(), `${provider}/${model}`).toEqual([false, true]);
    }
  });

  it("keeps a dated model apart whose price differs", () => {
    expect(catalog.find("openai", "gpt-4o-2024-05-13")?.inputPicoPerToken).toBe(5_000_000n);
  });
});
