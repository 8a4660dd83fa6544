import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digits, parseExact, per1k } from "../../clients/cli/prices/decimal.ts";
import { readTable } from "../../clients/cli/prices/litellm.ts";
import { catalogText, parseCatalog, type Row } from "../../clients/cli/prices/written.ts";

const CHAT = {
  litellm_provider: "openai",
  mode: "chat",
  input_cost_per_token: 2.5e-6,
  output_cost_per_token: 1e-5,
};

/** As they are written in the catalog. */
function convert(table: object) {
  const { providers, notes } = readTable(JSON.stringify(table), "2026-07-24");
  const rows = [...providers].map(([name, models]) => [name, Object.fromEntries(models)] as const);
  const written = JSON.parse(JSON.stringify(Object.fromEntries(rows))) as Record<string, Record<string, Row>>;
  const models = (provider: string) => written[provider] ?? {};
  return {
    row: (provider: string, model: string) => models(provider)[model] ?? {},
    names: (provider: string) => Object.keys(models(provider)),
    providers: written,
    notes: notes.map(({ name, why }) => `${name}: ${why}`),
  };
}

describe("a row of LiteLLM's table", () => {
  it("becomes prices for a thousand tokens, limits, capabilities and a source", () => {
    const { providers } = convert({
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
    expect(providers.openai).toEqual({
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

  it("says with null what it does not say, and is named where it cannot be understood", () => {
    const nothing = { cache_read_input_token_cost: null, max_output_tokens: null, supports_vision: null };
    const { row, notes } = convert({ "gpt-4o": { ...CHAT, ...nothing }, "gpt-4.1": null });
    expect(row("openai", "gpt-4o")).toEqual(convert({ "gpt-4o": CHAT }).row("openai", "gpt-4o"));
    expect(notes).toEqual([]);
    const wrong = { "gpt-4o": { ...CHAT, cache_read_input_token_cost: "free" } };
    expect(() => convert(wrong)).toThrow('gpt-4o: "free" is not a number from 0 on');
  });

  it("has tiers where long inputs cost more, and one of embeddings has no price for output", () => {
    const { row } = convert({
      "gemini/gemini-2.5-pro": {
        ...CHAT,
        litellm_provider: "gemini",
        input_cost_per_token_above_200k_tokens: 5e-6,
        output_cost_per_token_above_200k_tokens: 2e-5,
        cache_creation_input_token_cost_above_200k_tokens: 1e-9,
      },
      "text-embedding-3-small": { ...CHAT, mode: "embedding", output_cost_per_token: 0 },
    });
    expect(row("gemini", "gemini-2.5-pro").context_tiers).toEqual([
      { above_input_tokens: 200_000, prices: { input_per_1k_tokens: 0.005, output_per_1k_tokens: 0.02 } },
    ]);
    expect(row("openai", "text-embedding-3-small")).not.toHaveProperty("output_per_1k_tokens");
    expect(row("openai", "text-embedding-3-small").capabilities).toEqual({
      chat: false,
      embeddings: true,
    });
  });

  it("has service tiers, each with what long inputs change, where the table has all of their prices", () => {
    const { row, notes } = convert({
      "gemini/gemini-3-pro": {
        ...CHAT,
        litellm_provider: "gemini",
        cache_read_input_token_cost: 2e-7,
        input_cost_per_token_above_200k_tokens: 5e-6,
        output_cost_per_token_above_200k_tokens: 2e-5,
        input_cost_per_token_batches: 1.25e-6,
        output_cost_per_token_batches: 5e-6,
        input_cost_per_token_priority: 4.5e-6,
        output_cost_per_token_priority: 1.8e-5,
        cache_read_input_token_cost_priority: 3.6e-7,
        cache_creation_input_token_cost_priority: 1,
        input_cost_per_token_above_200k_tokens_priority: 9e-6,
        output_cost_per_token_above_200k_tokens_priority: 3.6e-5,
      },
      "gpt-5-nano": { ...CHAT, input_cost_per_token_flex: 1e-6 },
      "gpt-5": { ...CHAT, input_cost_per_token_priority: 2.5e-6, output_cost_per_token_priority: 1e-5 },
      "text-embedding-3-small": {
        ...CHAT,
        mode: "embedding",
        output_cost_per_token: 0,
        input_cost_per_token_batches: 1e-6,
      },
    });
    expect(row("gemini", "gemini-3-pro")).toMatchObject({
      context_tiers: [{ above_input_tokens: 200_000 }],
      service_tiers: {
        batch: { prices: { input_per_1k_tokens: 0.00125, output_per_1k_tokens: 0.005 } },
        priority: {
          prices: {
            input_per_1k_tokens: 0.0045,
            output_per_1k_tokens: 0.018,
            cached_input_per_1k_tokens: 0.00036,
          },
          context_tiers: [
            {
              above_input_tokens: 200_000,
              prices: { input_per_1k_tokens: 0.009, output_per_1k_tokens: 0.036 },
            },
          ],
        },
      },
    });
    expect(JSON.stringify(row("gemini", "gemini-3-pro"))).not.toContain("cache_write");
    expect(row("openai", "gpt-5-nano")).not.toHaveProperty("service_tiers");
    expect(row("openai", "gpt-5")).not.toHaveProperty("service_tiers");
    expect(row("openai", "text-embedding-3-small").service_tiers).toEqual({
      batch: { prices: { input_per_1k_tokens: 0.001 } },
    });
    expect(notes).toEqual([
      "gpt-5-nano: only a part of the prices of the tier flex",
      "gpt-5: the tier priority costs as the standard one, which may mean that it is not known",
    ]);
  });

  it("has prices of images, thoughts where they are others, and a search's fee, in dated rows as well", () => {
    const fees = {
      search_context_size_low: 0.03,
      search_context_size_medium: 0.035,
      search_context_size_high: 0.05,
    };
    const { row, names } = convert({
      "gpt-4o-search-preview-2025-03-11": { ...CHAT, output_cost_per_reasoning_token: 1e-5 },
      "gpt-4o-search-preview": { ...CHAT, search_context_cost_per_query: fees },
      o9: {
        ...CHAT,
        output_cost_per_reasoning_token: 2e-5,
        input_cost_per_image_token: 3e-6,
        search_context_cost_per_query: fees,
      },
      "text-embedding-9": { ...CHAT, mode: "embedding", input_cost_per_image: 6e-5 },
    });
    expect(names("openai")).toEqual(["gpt-4o-search-preview", "o9", "text-embedding-9"]);
    const search = row("openai", "gpt-4o-search-preview");
    expect(search).toMatchObject({ usd_per_request: 0.035, aliases: ["gpt-4o-search-preview-2025-03-11"] });
    expect(search).not.toHaveProperty("reasoning_per_1k_tokens");
    expect(row("openai", "o9")).toMatchObject({
      reasoning_per_1k_tokens: 0.02,
      image_input_per_1k_tokens: 0.003,
    });
    expect(row("openai", "o9")).not.toHaveProperty("usd_per_request");
    expect(row("openai", "text-embedding-9").usd_per_image).toBe(0.00006);
  });

  it("goes to its provider, by the name that the provider knows", () => {
    const of = (litellm_provider: string) => ({ ...CHAT, litellm_provider });
    const { row, providers } = convert({
      "mistral/mistral-large-latest": of("mistral"),
      "claude-opus-5": of("anthropic"),
      "vertex_ai/claude-opus-5": of("vertex_ai-anthropic_models"),
      "gemini-3.5-flash": of("vertex_ai-language-models"),
      "bedrock/moonshotai.kimi-k2-thinking": of("bedrock"),
      "elsewhere/model": of("elsewhere"),
    });
    const names = Object.entries(providers).map(([name, models]) => [name, Object.keys(models as object)]);
    expect(names).toEqual([
      ["openai", []],
      ["claude", ["claude-opus-5"]],
      ["gemini", []],
      ["mistral", ["mistral-large-latest"]],
      ["vertex_ai", ["claude-opus-5", "gemini-3.5-flash"]],
      ["bedrock", ["moonshotai.kimi-k2-thinking"]],
    ]);
    expect(row("vertex_ai", "gemini-3.5-flash").aliases).toEqual(["google/gemini-3.5-flash"]);
  });
});

describe("a dated or regional name", () => {
  const bedrock = { ...CHAT, litellm_provider: "bedrock_converse" };

  it("is an alias where it differs in nothing, and a row where it does", () => {
    const { row, names } = convert({
      "gpt-4o": CHAT,
      "gpt-4o-2024-08-06": CHAT,
      "gpt-4o-2024-05-13": { ...CHAT, input_cost_per_token: 5e-6 },
      "gpt-4o-audio": CHAT,
      "amazon.nova-pro-v1:0": bedrock,
      "us.amazon.nova-pro-v1:0": bedrock,
      "eu.amazon.nova-pro-v1:0": { ...bedrock, output_cost_per_token: 2e-5 },
      "eu.amazon.nova-lite-v1:0": bedrock,
    });
    expect(names("openai")).toEqual(["gpt-4o", "gpt-4o-2024-05-13", "gpt-4o-audio"]);
    expect(row("openai", "gpt-4o").aliases).toEqual(["gpt-4o-2024-08-06"]);
    expect(row("bedrock", "amazon.nova-pro-v1:0").aliases).toEqual(["us.amazon.nova-pro-v1:0"]);
    expect(names("bedrock")).toEqual([
      "amazon.nova-pro-v1:0",
      "eu.amazon.nova-lite-v1:0",
      "eu.amazon.nova-pro-v1:0",
    ]);
  });

  it("brings a region's prices to the model's row, where they differ", () => {
    const { row, notes } = convert({
      "bedrock/us-gov-east-1/amazon.nova-pro-v1:0": { ...bedrock, input_cost_per_token: 3e-6 },
      "bedrock/us-gov-west-1/amazon.nova-pro-v1:0": bedrock,
      "bedrock/eu-west-1/meta.lost": bedrock,
      "amazon.nova-pro-v1:0": bedrock,
    });
    expect(row("bedrock", "amazon.nova-pro-v1:0").regions).toEqual({
      "us-gov-east-1": { input_per_1k_tokens: 0.003, output_per_1k_tokens: 0.01 },
    });
    expect(notes).toEqual(["bedrock/eu-west-1/meta.lost: the model has no price but in this region"]);
  });
});

describe("is left out, and that is told:", () => {
  it.each<[string, object, string]>([
    ["gpt-image", { ...CHAT, mode: "image_generation" }, "its mode is image_generation"],
    ["per-hour", { ...CHAT, input_cost_per_token: undefined }, "no price for a token"],
    ["half-told", { ...CHAT, output_cost_per_token: undefined }, "no price for a token"],
    ["untold", { ...CHAT, input_cost_per_token: null }, "no price for a token"],
    ["gratis", { ...CHAT, input_cost_per_token: 0 }, "a price of 0, which may mean that it is not known"],
    ["silent", { ...CHAT, output_cost_per_token: 0 }, "a price of 0, which may mean that it is not known"],
    ["gemini-1.5-flash", { ...CHAT, mode: "embedding" }, "a chat model that is said to make embeddings"],
    ["ft:gpt-4o", CHAT, "a fine-tuned model's name has more in it"],
    ["gpt-4o-search-preview", CHAT, "each call costs a fee beside its tokens, which is missing"],
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
    expect(Object.values(providers).flatMap((models) => Object.keys(models))).toEqual([]);
  });

  it.each([
    ["first", 3e-6, 2e-6],
    ["last", 2e-6, 3e-6],
  ])("the cheaper of two rows for one name, with the dearer %s", (_, one, other) => {
    const gemini = { ...CHAT, litellm_provider: "gemini" };
    const { row, notes } = convert({
      "gemini/gemini-x": { ...gemini, input_cost_per_token: one },
      "gemini-x": { ...gemini, input_cost_per_token: other },
    });
    expect(row("gemini", "gemini-x").input_per_1k_tokens).toBe(0.003);
    expect(notes).toEqual(["gemini-x: there are two rows for gemini/gemini-x; the dearer one counts"]);
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

it("is how docs/price-catalog.json was written", () => {
  const text = readFileSync(new URL("../../docs/price-catalog.json", import.meta.url), "utf8");
  expect(catalogText(parseCatalog(text))).toBe(text);
});
