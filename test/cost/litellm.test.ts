import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digits, parseExact, per1k } from "../../ops/prices/decimal.mts";
import { catalogFrom, catalogText } from "../../ops/prices/litellm.mts";
import { loadCatalog } from "../../src/cost/catalog.ts";

const OWN = '{"providers": {"mock": {"mock-echo": {"input_per_1k_tokens": 0.001, "source": "made up"}}}}';
const CHAT = {
  litellm_provider: "openai",
  mode: "chat",
  input_cost_per_token: 2.5e-6,
  output_cost_per_token: 1e-5,
};

function convert(table: object, own = OWN) {
  const { catalog, notes } = catalogFrom(JSON.stringify(table), own, { date: "2026-07-24", revision: "3" });
  const written = JSON.parse(catalogText(catalog));
  return { written, notes: notes.map(({ name, why }) => `${name}: ${why}`), providers: written.providers };
}

describe("a row of LiteLLM's table", () => {
  it("becomes prices for a thousand tokens, limits, capabilities and a source", () => {
    const { written } = convert({
      "gpt-4o": {
        ...CHAT,
        cache_read_input_token_cost: 1.25e-6,
        cache_creation_input_token_cost: 3.125e-6,
        cache_creation_input_token_cost_above_1hr: 5e-6,
        input_cost_per_audio_token: 4e-5,
        max_input_tokens: 128_000,
        max_output_tokens: 16_384,
        output_cost_per_audio_token: 0,
        supports_vision: true,
        supports_function_calling: false,
        supports_sampling_params: false,
      },
    });
    expect(written).toMatchObject({ version: "2026-07-24.3", last_updated: "2026-07-24" });
    expect(written.providers.openai).toEqual({
      "gpt-4o": {
        input_per_1k_tokens: 0.0025,
        output_per_1k_tokens: 0.01,
        cached_input_per_1k_tokens: 0.00125,
        cache_write_per_1k_tokens: 0.003125,
        cache_write_1h_per_1k_tokens: 0.005,
        audio_input_per_1k_tokens: 0.04,
        context_window_tokens: 128_000,
        max_output_tokens: 16_384,
        capabilities: { chat: true, embeddings: false, tools: false, vision: true, sampling: false },
        source:
          "LiteLLM, model_prices_and_context_window.json of 2026-07-24 (MIT, Copyright (c) 2023 Berri AI)",
      },
    });
  });

  it("has tiers where long inputs cost more, and one of embeddings has no price for output", () => {
    const { providers } = convert({
      "gemini/gemini-2.5-pro": {
        ...CHAT,
        litellm_provider: "gemini",
        input_cost_per_token_above_200k_tokens: 5e-6,
        output_cost_per_token_above_200k_tokens: 2e-5,
        cache_creation_input_token_cost_above_200k_tokens: 1e-9,
      },
      "text-embedding-3-small": { ...CHAT, mode: "embedding", output_cost_per_token: 0 },
    });
    expect(providers.gemini["gemini-2.5-pro"].context_tiers).toEqual([
      { above_input_tokens: 200_000, prices: { input_per_1k_tokens: 0.005, output_per_1k_tokens: 0.02 } },
    ]);
    expect(providers.openai["text-embedding-3-small"]).not.toHaveProperty("output_per_1k_tokens");
    expect(providers.openai["text-embedding-3-small"].capabilities).toEqual({
      chat: false,
      embeddings: true,
    });
  });

  it("goes to its provider, by the name that the provider knows", () => {
    const row = (litellm_provider: string) => ({ ...CHAT, litellm_provider });
    const { providers } = convert({
      "mistral/mistral-large-latest": row("mistral"),
      "claude-opus-5": row("anthropic"),
      "vertex_ai/claude-opus-5": row("vertex_ai-anthropic_models"),
      "gemini-3.5-flash": row("vertex_ai-language-models"),
      "bedrock/moonshotai.kimi-k2-thinking": row("bedrock"),
      "elsewhere/model": row("elsewhere"),
    });
    const names = Object.entries(providers).map(([name, models]) => [name, Object.keys(models as object)]);
    expect(names).toEqual([
      ["openai", []],
      ["claude", ["claude-opus-5"]],
      ["gemini", []],
      ["mistral", ["mistral-large-latest"]],
      ["vertex_ai", ["claude-opus-5", "gemini-3.5-flash"]],
      ["bedrock", ["moonshotai.kimi-k2-thinking"]],
      ["mock", ["mock-echo"]],
    ]);
    expect(providers.vertex_ai["gemini-3.5-flash"].aliases).toEqual(["google/gemini-3.5-flash"]);
  });
});

describe("a dated or regional name", () => {
  const bedrock = { ...CHAT, litellm_provider: "bedrock_converse" };

  it("is an alias where it differs in nothing, and a row where it does", () => {
    const { providers } = convert({
      "gpt-4o": CHAT,
      "gpt-4o-2024-08-06": CHAT,
      "gpt-4o-2024-05-13": { ...CHAT, input_cost_per_token: 5e-6 },
      "gpt-4o-audio": CHAT,
      "amazon.nova-pro-v1:0": bedrock,
      "us.amazon.nova-pro-v1:0": bedrock,
      "eu.amazon.nova-pro-v1:0": { ...bedrock, output_cost_per_token: 2e-5 },
      "eu.amazon.nova-lite-v1:0": bedrock,
    });
    expect(Object.keys(providers.openai)).toEqual(["gpt-4o", "gpt-4o-2024-05-13", "gpt-4o-audio"]);
    expect(providers.openai["gpt-4o"].aliases).toEqual(["gpt-4o-2024-08-06"]);
    expect(providers.bedrock["amazon.nova-pro-v1:0"].aliases).toEqual(["us.amazon.nova-pro-v1:0"]);
    expect(Object.keys(providers.bedrock)).toEqual([
      "amazon.nova-pro-v1:0",
      "eu.amazon.nova-lite-v1:0",
      "eu.amazon.nova-pro-v1:0",
    ]);
  });

  it("brings a region's prices to the model's row, where they differ", () => {
    const { providers, notes } = convert({
      "bedrock/us-gov-east-1/amazon.nova-pro-v1:0": { ...bedrock, input_cost_per_token: 3e-6 },
      "bedrock/us-gov-west-1/amazon.nova-pro-v1:0": bedrock,
      "bedrock/eu-west-1/meta.lost": bedrock,
      "amazon.nova-pro-v1:0": bedrock,
    });
    expect(providers.bedrock["amazon.nova-pro-v1:0"].regions).toEqual({
      "us-gov-east-1": { input_per_1k_tokens: 0.003, output_per_1k_tokens: 0.01 },
    });
    expect(notes).toEqual(["bedrock/eu-west-1/meta.lost: the model has no price but in this region"]);
  });
});

describe("is left out, and that is told:", () => {
  it.each<[string, object, string]>([
    ["gpt-image", { ...CHAT, mode: "image_generation" }, "its mode is image_generation"],
    ["per-hour", { ...CHAT, input_cost_per_token: undefined }, "no price for a token"],
    ["gratis", { ...CHAT, input_cost_per_token: 0 }, "a price of 0, which may mean that it is not known"],
    ["silent", { ...CHAT, output_cost_per_token: 0 }, "a price of 0, which may mean that it is not known"],
    ["gemini-1.5-flash", { ...CHAT, mode: "embedding" }, "a chat model that is said to make embeddings"],
    ["ft:gpt-4o", CHAT, "a fine-tuned model's name has more in it"],
    ["gpt-4o-search-preview", CHAT, "each call costs a fee beside its tokens"],
    [
      "bedrock/us-east-1/1-month-commitment/anthropic.claude-v1",
      { ...CHAT, litellm_provider: "bedrock" },
      "throughput that is paid for by the hour",
    ],
    [
      "claude-sonnet-4-5-20250929-v1:0",
      { ...CHAT, litellm_provider: "bedrock" },
      "a name that the provider does not know",
    ],
  ])("%s", (name, row, why) => {
    const { providers, notes } = convert({ [name]: row });
    expect(notes).toEqual([`${name}: ${why}`]);
    expect(Object.values(providers).flatMap((models) => Object.keys(models as object))).toEqual([
      "mock-echo",
    ]);
  });

  it.each([
    ["first", 3e-6, 2e-6],
    ["last", 2e-6, 3e-6],
  ])("the cheaper of two rows for one name, with the dearer %s", (_, one, other) => {
    const gemini = { ...CHAT, litellm_provider: "gemini" };
    const { providers, notes } = convert({
      "gemini/gemini-x": { ...gemini, input_cost_per_token: one },
      "gemini-x": { ...gemini, input_cost_per_token: other },
    });
    expect(providers.gemini["gemini-x"].input_per_1k_tokens).toBe(0.003);
    expect(notes).toEqual(["gemini-x: there are two rows for gemini/gemini-x; the dearer one counts"]);
  });
});

it("takes the fields of our own rows in place of the table's, and both sources", () => {
  const own = { input_per_1k_tokens: 0.1, aliases: ["mine"], source: "ours" };
  const { providers } = convert(
    { "gpt-4o": CHAT },
    JSON.stringify({ providers: { openai: { "gpt-4o": own } } }),
  );
  expect(providers.openai["gpt-4o"]).toMatchObject({
    input_per_1k_tokens: 0.1,
    output_per_1k_tokens: 0.01,
    aliases: ["mine"],
    source: expect.stringMatching(/^LiteLLM, .*; ours$/),
  });
});

describe("a price", () => {
  it("keeps its digits on the way from one token to a thousand", () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 10n ** 12n), fc.integer({ min: 0, max: 18 }), (whole, places) => {
        const perToken = digits(parseExact(`{"x": ${whole}e-${places}}`).x);
        expect(Number(per1k(perToken))).toBe(Number(`${whole}e${3 - places}`));
        expect(per1k(perToken)).toMatch(/^(0|[1-9]\d*)(\.\d*[1-9])?$/);
      }),
    );
  });

  it.each([
    ["1.25e-07", "0.000125"],
    ["0.000010", "0.01"],
    ["3E-8", "0.00003"],
    ["2", "2000"],
    ["0.0", "0"],
    ["1.0000000000000000001e-6", "0.0010000000000000000001"],
  ])("%s is %s", (perToken, expected) => {
    expect(per1k(digits(parseExact(`{"x": ${perToken}}`).x))).toBe(expected);
  });

  it.each(["-1", '"free"', "null"])("cannot be %s", (price) => {
    expect(() => digits(parseExact(`{"x": ${price}}`).x)).toThrow(RangeError);
  });
});

it("is how docs/price-catalog.json was written, our own rows included", () => {
  const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
  const text = read("docs/price-catalog.json");
  const written = parseExact(text) as unknown as Parameters<typeof catalogText>[0];
  expect(catalogText(written)).toBe(text);
  const catalog = loadCatalog(text, "it");
  for (const [provider, rows] of Object.entries(JSON.parse(read("ops/prices/own.json")).providers)) {
    for (const [model, { source, aliases = [], ...fields }] of Object.entries(
      rows as Record<string, { source: string; aliases?: string[] }>,
    )) {
      expect(JSON.parse(text).providers[provider][model]).toMatchObject(fields);
      expect(catalog.find(provider, model)?.rates.source).toContain(source);
      for (const alias of aliases) expect(catalog.find(provider, alias)?.model).toBe(model);
    }
  }
});
