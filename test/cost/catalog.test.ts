import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Catalog, CatalogError, loadCatalog } from "../../src/cost/catalog.ts";

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
  ])("prices %s/%s", (provider, model, input, output, cached) => {
    expect(catalog.find(provider, model)).toMatchObject({
      inputPicoPerToken: input,
      outputPicoPerToken: output,
      cachedInputPicoPerToken: cached,
    });
  });

  it("says of every row where it was read", () => {
    expect(catalog.models().filter((model) => model.rates.source === "")).toEqual([]);
    expect(catalog.models().length).toBeGreaterThan(40);
  });

  it("keeps a dated model apart whose price differs", () => {
    expect(catalog.find("openai", "gpt-4o-2024-05-13")?.inputPicoPerToken).toBe(5_000_000n);
  });
});
