/** What providers export, as they document it: read in the ledger's own terms, or refused by where it is wrong. */
import { describe, expect, it } from "vitest";
import { readAnthropic } from "../../clients/cli/reconcile/anthropic.ts";
import { readBedrock } from "../../clients/cli/reconcile/bedrock.ts";
import { costOf, dayOf } from "../../clients/cli/reconcile/export.ts";
import { readGoogle } from "../../clients/cli/reconcile/google.ts";
import { readMistral } from "../../clients/cli/reconcile/mistral.ts";
import { modelKey } from "../../clients/cli/reconcile/model-name.ts";
import { readOpenAi } from "../../clients/cli/reconcile/openai.ts";

describe("names of a model", () => {
  it.each([
    ["gpt-4o-2024-08-06", "gpt-4o"],
    ["us.anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4-20250514"],
    ["Claude Haiku 4.5 (Amazon Bedrock Edition)", "anthropic.claude-haiku-4-5-20251001-v1:0"],
    ["Claude 3.5 Sonnet 2024-10-22", "claude-3-5-sonnet-20241022"],
    ["gemini 2.5 flash lite", "gemini-2.5-flash-lite"],
    ["mistral-small-latest", "mistral-small"],
  ])("%s is %s", (one, other) => expect(modelKey(one)).toBe(modelKey(other)));

  it.each([
    ["gpt-4o", "gpt-4o-mini"],
    ["claude-sonnet-4", "claude-sonnet-4-5"],
    ["gemini-2.5-flash", "gemini-2.5-flash-lite"],
  ])("%s is not %s", (one, other) => expect(modelKey(one)).not.toBe(modelKey(other)));
});

const tokens = (input: bigint, cached: bigint, written: bigint, output: bigint) => ({
  inputTokens: input,
  cachedInputTokens: cached,
  cacheWriteTokens: written,
  outputTokens: output,
});
const AT = { day: "2026-08-01" };

describe("exports", () => {
  it("of OpenAI: usage and costs as the API has them, and the dashboard's CSV", () => {
    const page = (results: object[]) =>
      JSON.stringify({
        object: "page",
        data: [{ object: "bucket", start_time: 1_785_542_400, end_time: 1_785_628_800, results }],
        has_more: false,
      });
    const used = {
      object: "organization.usage.completions.result",
      model: "gpt-4o-2024-08-06",
      input_tokens: 1_000,
      output_tokens: 500,
      input_cached_tokens: 800,
      num_model_requests: 5,
      batch: null,
    };
    const counts = { inputTokens: 1_000n, cachedInputTokens: 800n, outputTokens: 500n, requests: 5n };
    expect(readOpenAi(page([used]), "u")).toEqual([{ ...AT, model: "gpt-4o-2024-08-06", ...counts }]);
    const cost = {
      object: "organization.costs.result",
      amount: { value: 0.0600000000001, currency: "usd" },
      line_item: "gpt-4o-2024-08-06, cached input",
    };
    const costs = { ...AT, model: "gpt-4o-2024-08-06", costPicoUsd: 60_000_000_000n };
    expect(readOpenAi(page([cost]), "c")).toEqual([costs]);
    const csv =
      "\ufeffmodel,end_time,start_time,start_time_iso,num_model_requests,output_tokens,input_tokens,input_cached_tokens\r\n" +
      "gpt-4o-2024-08-06,1785628800,1785542400,2026-08-01T00:00:00+00:00,5,500,1000,800\r\n,1785715200,1785628800,2026-08-02T00:00:00+00:00,,,,\r\n";
    expect(readOpenAi(csv, "u.csv")).toEqual([{ ...AT, model: "gpt-4o-2024-08-06", ...counts }]);
    const spent =
      'start_time_iso,amount_value,amount_currency,line_item\n2026-08-01T00:00:00+00:00,0.0600000000000000,usd,"gpt-4o-2024-08-06, input"\n2026-08-02T00:00:00+00:00,,,\n';
    expect(readOpenAi(spent, "c.csv")).toEqual([costs]);
  });

  it("of Anthropic: usage and cost reports, whose amounts are cents, and the console's CSV", () => {
    const page = (results: object[]) =>
      JSON.stringify({
        data: [{ starting_at: "2026-08-01T00:00:00Z", ending_at: "2026-08-02T00:00:00Z", results }],
        has_more: false,
        next_page: null,
      });
    const used = {
      uncached_input_tokens: 1_500,
      cache_creation: { ephemeral_1h_input_tokens: 1_000, ephemeral_5m_input_tokens: 500 },
      cache_read_input_tokens: 200,
      output_tokens: 500,
      model: "claude-sonnet-4-20250514",
      service_tier: "standard",
    };
    const row = { ...AT, model: "claude-sonnet-4-20250514", ...tokens(3_200n, 200n, 1_500n, 500n) };
    expect(readAnthropic(page([used]), "u")).toEqual([row]);
    const cost = {
      currency: "USD",
      amount: "123.45",
      model: "claude-sonnet-4-20250514",
      description: "Claude Sonnet 4 Usage - Input Tokens",
      cost_type: "tokens",
    };
    expect(readAnthropic(page([cost]), "c")).toEqual([
      { ...AT, model: row.model, costPicoUsd: 1_234_500_000_000n },
    ]);
    const csv =
      "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count\n" +
      "2026-08-01,claude-sonnet-4-20250514,key,1500,500,1000,200,500,0\n";
    expect(readAnthropic(csv, "u.csv")).toEqual([row]);
    const spent =
      "usage_date_utc,model,token_type,cost_usd,cost_type\n2026-08-01,Claude Sonnet 4,input_no_cache,1.23,token\n";
    expect(readAnthropic(spent, "c.csv")).toEqual([
      { ...AT, model: "Claude Sonnet 4", costPicoUsd: 1_230_000_000_000n },
    ]);
  });

  it("of Google Cloud: the billing export, of the service that is meant", () => {
    const line = (service: string, sku: string, amount: number, unit = "count") =>
      JSON.stringify({
        service: { description: service },
        sku: { description: sku },
        usage_start_time: "2026-08-01 07:00:00 UTC",
        usage: { amount, unit },
        cost: 0.25,
        currency: "USD",
        currency_conversion_rate: 1,
      });
    const lines = [
      line("Gemini API", "Generate content input token count gemini 2.5 flash short input text", 1_000),
      line("Gemini API", "Generate content cached input token count gemini 2.5 flash", 300),
      line("Gemini API", "Generate content output token count gemini 3.1 flash lite preview text", 200),
      line("Gemini API", "Cached content storage gemini 2.5 flash", 3, "hour"),
      line("Vertex AI", "Gemini 2.5 Pro Thinking Text Output - Predictions", 77),
      line("Compute Engine", "N1 core", 1, "seconds"),
    ].join("\n");
    const cost = { costPicoUsd: 250_000_000_000n };
    const told = ({ cacheWriteTokens: _, ...rest }: ReturnType<typeof tokens>) => rest;
    expect(readGoogle("gemini")(lines, "g.json")).toEqual([
      { ...AT, model: "gemini 2.5 flash", ...cost, ...told(tokens(1_000n, 0n, 0n, 0n)) },
      { ...AT, model: "gemini 2.5 flash", ...cost, ...told(tokens(300n, 300n, 0n, 0n)) },
      { ...AT, model: "gemini 3.1 flash lite preview", ...cost, ...told(tokens(0n, 0n, 0n, 200n)) },
      { ...AT, model: "gemini 2.5 flash", ...cost },
    ]);
    const vertex = [{ ...AT, model: "Gemini 2.5 Pro", ...cost, ...told(tokens(0n, 0n, 0n, 77n)) }];
    expect(readGoogle("vertex_ai")(lines, "g.json")).toEqual(vertex);
    const csv =
      "cost,currency,usage_start_time,service_description,sku_description,usage_amount,usage_unit\n0.25,USD,2026-08-01T07:00:00Z,Vertex AI,Gemini 2.5 Pro Text Output - Predictions,77,count\n";
    expect(readGoogle("vertex_ai")(csv, "g.csv")).toEqual(vertex);
  });

  it("of Mistral: by the columns' names", () => {
    const csv =
      "model,date,prompt_tokens,completion_tokens,cost,currency\nmistral-small-latest,2026-08-01,100,20,0.5,USD\n";
    expect(readMistral(csv, "m.csv")).toEqual([
      {
        ...AT,
        model: "mistral-small-latest",
        inputTokens: 100n,
        outputTokens: 20n,
        costPicoUsd: 500_000_000_000n,
      },
    ]);
  });

  it("of AWS: the report in both forms, and Cost Explorer, of Bedrock alone", () => {
    const cost = { costPicoUsd: 500_000_000_000n };
    const expected = [
      { ...AT, model: "NovaLite", ...cost, ...tokens(12_346n, 0n, 0n, 0n) },
      { ...AT, model: "NovaLite", ...cost, ...tokens(2_000n, 2_000n, 0n, 0n) },
      { ...AT, model: "Claude Haiku 4.5 (Amazon Bedrock Edition)", ...cost, ...tokens(0n, 0n, 0n, 1_500n) },
    ];
    const rows = [
      [
        "AmazonBedrock",
        "Amazon Bedrock",
        "Usage",
        "USE1-NovaLite-input-tokens-batch",
        "12.3456",
        "1K tokens",
      ],
      [
        "AmazonBedrock",
        "Amazon Bedrock",
        "Usage",
        "USE1-NovaLite-cache-read-input-token-count",
        "2",
        "1K tokens",
      ],
      [
        "4x5y",
        "Claude Haiku 4.5 (Amazon Bedrock Edition)",
        "Usage",
        "USE1-MP:USE1_OutputTokenCount-Units",
        "0.0015",
        "Units",
      ],
      ["AmazonBedrock", "Amazon Bedrock", "Credit", "USE1-NovaLite-input-tokens", "1", "1K tokens"],
      ["AmazonEC2", "EC2", "Usage", "BoxUsage", "1", "Hrs"],
    ].map((row) => [...row, "0.5", "USD", "2026-08-01T05:00:00Z"].join());
    const old =
      "lineItem/ProductCode,product/ProductName,lineItem/LineItemType,lineItem/UsageType,lineItem/UsageAmount,pricing/unit,lineItem/UnblendedCost,lineItem/CurrencyCode,lineItem/UsageStartDate";
    expect(readBedrock([old, ...rows].join("\n"), "cur.csv")).toEqual(expected);
    const next =
      "line_item_product_code,product_product_name,line_item_line_item_type,line_item_usage_type,line_item_usage_amount,pricing_unit,line_item_unblended_cost,line_item_currency_code,line_item_usage_start_date";
    expect(readBedrock([next, ...rows].join("\n"), "cur.csv")).toEqual(expected);
    const explorer = {
      ResultsByTime: [
        {
          TimePeriod: { Start: "2026-08-01", End: "2026-08-02" },
          Groups: [
            {
              Keys: ["USE1-NovaLite-output-tokens"],
              Metrics: {
                UnblendedCost: { Amount: "0.5", Unit: "USD" },
                UsageQuantity: { Amount: "7.5", Unit: "N/A" },
              },
            },
          ],
        },
      ],
    };
    expect(readBedrock(JSON.stringify(explorer), "ce.json")).toEqual([
      { ...AT, model: "NovaLite", ...cost, ...tokens(0n, 0n, 0n, 7_500n) },
    ]);
  });

  const openAi = (amount: object) =>
    JSON.stringify({ data: [{ start_time: 1_785_542_400, results: [amount] }] });
  it.each([
    [
      "a column that is missing",
      () => readAnthropic("usage_date_utc,model_version\n2026-08-01,x\n", "a.csv"),
      /^a\.csv, line 2: there is no column usage_input_tokens_no_cache; there are usage_date_utc, model_version$/,
    ],
    [
      "a count that is none",
      () => readMistral("date,model,input_tokens,output_tokens\n2026-08-01,x,many,1\n", "m.csv"),
      /^m\.csv, line 2, input_tokens: "many" is no whole number$/,
    ],
    [
      "a line that is too short",
      () => readMistral("date,model,input_tokens,output_tokens\n2026-08-01,x\n", "m.csv"),
      /^m\.csv: it is no CSV: /,
    ],
    [
      "a day without its zone",
      () => readMistral("date,model,input_tokens,output_tokens\n2026-08-01 10:00,x,1,1\n", "m.csv"),
      /no day, and no time with its zone/,
    ],
    [
      "another currency",
      () => readOpenAi(openAi({ amount: { value: 1, currency: "eur" } }), "c.json"),
      /^c\.json: data\[0\]\.results\[0\]\.amount\.currency: the amount is in "eur"/,
    ],
    [
      "a result of neither kind",
      () => readOpenAi(openAi({ images: 3 }), "c.json"),
      /data\[0\]\.results\[0\]: has neither/,
    ],
    ["no JSON", () => readGoogle("gemini")('{"a": 1}\n{"a"', "g.json"), /^g\.json, line 2: it is no JSON/],
    ["another JSON", () => readOpenAi("{}", "c.json"), /^c\.json: data: is no list$/],
    [
      "an unknown unit",
      () =>
        readBedrock(
          JSON.stringify({
            ResultsByTime: [
              {
                TimePeriod: { Start: "2026-08-01" },
                Groups: [
                  {
                    Keys: ["USE1-NovaLite-input-tokens"],
                    Metrics: {
                      UnblendedCost: { Amount: "1", Unit: "USD" },
                      UsageQuantity: { Amount: "1", Unit: "Hrs" },
                    },
                  },
                ],
              },
            ],
          }),
          "ce.json",
        ),
      /the unit "Hrs" of USE1-NovaLite-input-tokens is not known/,
    ],
    ["an empty file", () => readMistral("", "m.csv"), /^m\.csv: it is empty$/],
  ])("with %s are refused by where it is", (_, read, words) => expect(read).toThrow(words));

  it("are read by their digits", () => {
    expect(costOf("1e-7", "")).toBe(100_000n);
    expect(costOf("-0.25", "")).toBe(-250_000_000_000n);
    expect(costOf("0.1000000000005", "")).toBe(100_000_000_001n);
    expect(dayOf("2026-08-01T23:30:00-08:00", "")).toBe("2026-08-02");
  });
});
