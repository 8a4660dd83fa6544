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
  it("is read in the plan's schema as it stands there", () => {
    const catalog = load({
      openai: { "gpt-4o": { input_per_1k_tokens: 0.005, output_per_1k_tokens: 0.015 } },
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

  it("prices a call by the row that was in force when it began", () => {
    const row = (usd: number, effective_from?: string) => ({
      input_per_1k_tokens: usd,
      output_per_1k_tokens: usd,
      ...(effective_from && { effective_from }),
    });
    const gov = { regions: { gov: { input_per_1k_tokens: 9, output_per_1k_tokens: 9 } } };
    const catalog = load({
      p: {
        open: [
          row(1),
          { ...row(2, "2026-03-01"), aliases: ["x"] },
          { ...row(3, "2026-06-01T12:00:00.5+02:00"), ...gov, aliases: ["x"] },
        ],
        dated: [row(4, "2026-01-01")],
        later: row(5, "2026-01-01"),
        plain: row(6),
      },
    });
    const usdAt = (model: string, time: string, region = "") => {
      const pico = catalog.find("p", model, region, Date.parse(time))?.inputPicoPerToken;
      return pico === undefined ? undefined : Number(pico) / 1e9;
    };
    expect(usdAt("open", "1999-01-01")).toBe(1);
    expect(usdAt("open", "2026-02-28T23:59:59.999Z")).toBe(1);
    expect(usdAt("open", "2026-03-01")).toBe(2);
    expect(usdAt("open", "2026-06-01T10:00:00.499Z")).toBe(2);
    expect(usdAt("x", "2026-06-01T10:00:00.500Z")).toBe(3);
    expect(usdAt("open", "2026-05-01", "gov")).toBe(2);
    expect(usdAt("open", "2026-07-01", "gov")).toBe(9);
    for (const model of ["dated", "later"]) {
      expect(usdAt(model, "2025-12-31T23:59:59Z")).toBeUndefined();
      expect(usdAt(model, "2026-01-01")).toBe(model === "dated" ? 4 : 5);
    }
    expect(catalog.find("p", "open")?.inputPicoPerToken).toBe(3_000_000_000n);
    expect(catalog.models().map(({ model, effectiveFromMs }) => [model, effectiveFromMs])).toEqual([
      ["open", Date.parse("2026-06-01T10:00:00.5Z")],
      ["dated", Date.parse("2026-01-01")],
      ["later", Date.parse("2026-01-01")],
      ["plain", Number.NEGATIVE_INFINITY],
    ]);
  });

  it("derives a tier's missing prices from its own, but never below what the row has for such tokens", () => {
    const own = { cached_input_per_1k_tokens: 0.004, audio_input_per_1k_tokens: 0.05 };
    const flex = { prices: { input_per_1k_tokens: 0.0025, output_per_1k_tokens: 0.0075 } };
    const price = load({ p: { m: { ...PRICE, ...own, service_tiers: { flex } } } }).find("p", "m");
    expect(price && ratesAt(price, 1, "flex")).toMatchObject({
      inputPicoPerToken: 2_500_000n,
      cachedInputPicoPerToken: 4_000_000n,
      audioInputPicoPerToken: 50_000_000n,
      cacheWritePicoPerToken: 2_500_000n,
      reasoningPicoPerToken: 7_500_000n,
      isAssumed: false,
    });
  });

  it("has prices of requests and images", () => {
    const catalog = load({
      p: { m: { ...PRICE, usd_per_request: 0.035, usd_per_image: 0.00006 }, n: PRICE },
    });
    expect(catalog.find("p", "m")).toMatchObject({
      picoPerRequest: 35_000_000_000n,
      picoPerImage: 60_000_000n,
    });
    expect(catalog.find("p", "n")).toMatchObject({ picoPerRequest: 0n, picoPerImage: 0n });
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
      "rows in disorder",
      {
        openai: {
          m: [
            PRICE,
            { ...PRICE, effective_from: "2026-02-01" },
            { ...PRICE, effective_from: "2026-02-01" },
            PRICE,
          ],
        },
      },
      [
        "providers.openai.m[2].effective_from: must be later than the one before",
        "providers.openai.m[3].effective_from: is missing; only the first may be without it",
      ],
    ],
    [
      "a price that a row, or a service tier, leaves out",
      {
        openai: {
          "gpt-4.1": [
            { input_per_1k_tokens: 1 },
            {
              ...PRICE,
              effective_from: "2026-02-01",
              service_tiers: {
                flex: {
                  prices: { output_per_1k_tokens: 1 },
                  context_tiers: [{ above_input_tokens: 1, prices: { input_per_1k_tokens: 1 } }],
                },
              },
            },
          ],
        },
      },
      [
        `providers.openai["gpt-4.1"][0].output_per_1k_tokens: ${NOT_KNOWN}`,
        `providers.openai["gpt-4.1"][1].service_tiers.flex.prices.input_per_1k_tokens: ${NOT_KNOWN}`,
        `providers.openai["gpt-4.1"][1].service_tiers.flex.context_tiers[0].prices.output_per_1k_tokens: ${NOT_KNOWN}`,
      ],
    ],
    [
      "a day that is none",
      { openai: { m: { ...PRICE, effective_from: "2026-02-30" } } },
      ["providers.openai.m.effective_from: is no day of the calendar"],
    ],
    [
      "a time that is none",
      { openai: { m: [{ ...PRICE, effective_from: "yesterday" }] } },
      [expect.stringContaining("providers.openai.m[0].effective_from: ") as unknown as string],
    ],
    [
      "a tier under the standard one's name",
      { openai: { m: { ...PRICE, service_tiers: { default: { prices: PRICE } } } } },
      [expect.stringMatching(/^providers\.openai\.m\.service_tiers/) as unknown as string],
    ],
    [
      "a service tier without prices",
      { openai: { m: { ...PRICE, service_tiers: { flex: {} } } } },
      [expect.stringContaining("providers.openai.m.service_tiers.flex.prices: ") as unknown as string],
    ],
    [
      "what a service tier cannot charge",
      {
        openai: {
          m: {
            ...PRICE,
            usd_per_image: 1.5e-12,
            service_tiers: {
              flex: {
                prices: { ...PRICE, reasoning_per_1k_tokens: 1.5e-9 },
                context_tiers: [
                  { above_input_tokens: 2, prices: PRICE },
                  { above_input_tokens: 1, prices: PRICE },
                ],
              },
            },
          },
        },
      },
      [
        expect.stringContaining(
          "m.service_tiers.flex.prices.reasoning_per_1k_tokens: 1.5e-9",
        ) as unknown as string,
        "providers.openai.m.service_tiers.flex.context_tiers[1].above_input_tokens: must be more than the one before",
        "providers.openai.m.usd_per_image: 1.5e-12 USD is not a whole number of pico-USD",
      ],
    ],
    [
      "a price finer than a pico-dollar",
      { openai: { m: { ...PRICE, cached_input_per_1k_tokens: 1.5e-9 } } },
      [
        "providers.openai.m.cached_input_per_1k_tokens: 1.5e-9 USD for 1,000 tokens is not a whole number of pico-USD for one",
      ],
    ],
    [
      "a model without a row",
      { openai: { models: [] } },
      ["providers.openai.models: must contain at least 1 item(s)"],
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
      ["claude", "claude-3-sonnet"],
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

  it("charges more for a hurry and less for patience, at each length of the input", () => {
    const tiers = catalog.models().flatMap((model) =>
      Object.keys(model.rates.serviceTiers).flatMap((tier) =>
        [0, ...model.tiers.map(({ aboveInputTokens }) => aboveInputTokens + 1)].map((length) => ({
          name: `${model.provider}/${model.model} ${tier} ${length}`,
          tier,
          rates: ratesAt(model, length, tier),
          standard: ratesAt(model, length),
        })),
      ),
    );
    expect(tiers.length).toBeGreaterThan(100);
    for (const { name, tier, rates, standard } of tiers) {
      const wrong = (one: bigint, other: bigint) => (tier === "priority" ? one < other : one > other);
      expect(wrong(rates.inputPicoPerToken, standard.inputPicoPerToken), name).toBe(false);
      expect(wrong(rates.outputPicoPerToken, standard.outputPicoPerToken), name).toBe(false);
      expect(["flex", "priority", "batch"]).toContain(tier);
    }
  });

  it("combines a service tier with a long input", () => {
    const pro = catalog.find("gemini", "gemini-3.1-pro-preview");
    expect(pro && ratesAt(pro, 200_000, "priority")).toMatchObject({ inputPicoPerToken: 3_600_000n });
    expect(pro && ratesAt(pro, 200_001, "priority")).toMatchObject({
      inputPicoPerToken: 7_200_000n,
      cachedInputPicoPerToken: 720_000n,
      outputPicoPerToken: 32_400_000n,
      isAssumed: false,
    });
    const gpt = catalog.find("openai", "gpt-5.4");
    expect(gpt && ratesAt(gpt, 1, "flex")).toMatchObject({ inputPicoPerToken: 1_250_000n, isAssumed: false });
    expect(gpt && ratesAt(gpt, 272_001, "flex")).toMatchObject({
      inputPicoPerToken: 5_000_000n,
      isAssumed: true,
    });
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
