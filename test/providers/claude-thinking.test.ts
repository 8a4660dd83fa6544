import { describe, expect, test } from "vitest";
import type { Wish } from "../../src/providers/dialect.ts";
import { encode, type Init, NEW, OLD, refusedFor } from "./claude-wire.ts";

describe("thinking", () => {
  const thinks = (parameters: Init["parameters"], model: string, wish: Partial<Wish> = {}) => {
    const { thinking, output_config } = encode({ parameters }, { model, modelMaxTokens: 64_000, ...wish });
    return { thinking, ...output_config };
  };
  const enabled = (budget_tokens: number) => ({ thinking: { type: "enabled", budget_tokens } });
  const adaptive = (effort: string) => ({ thinking: { type: "adaptive" }, effort });

  test.each<[string, Init["parameters"], string, object, Partial<Wish>?]>([
    ["nothing said", {}, NEW, {}],
    ["an effort", { reasoningEffort: "high" }, NEW, adaptive("high")],
    ["an effort of tomorrow", { reasoningEffort: "ultra" }, NEW, adaptive("ultra")],
    ["an effort of 4.6", { reasoningEffort: "max" }, "claude-opus-4-6", adaptive("max")],
    ["a budget of 4.6", { reasoningBudgetTokens: 2000 }, "claude-opus-4-6", enabled(2000)],
    ["an effort of a model by another name", { reasoningEffort: "low" }, "house-model", adaptive("low")],
    ["no thoughts", { reasoningEffort: "none" }, NEW, { thinking: { type: "disabled" } }],
    ["no budget", { reasoningBudgetTokens: 0 }, OLD, { thinking: { type: "disabled" } }],
    ["none where there are none", { reasoningEffort: "none" }, "claude-3-haiku-20240307", {}],
    ["minimal", { reasoningEffort: "minimal" }, OLD, enabled(1024)],
    ["low", { reasoningEffort: "low" }, OLD, enabled(12_800)],
    ["medium", { reasoningEffort: "medium", maxTokens: 8192 }, OLD, enabled(4096)],
    ["high", { reasoningEffort: "high" }, "us.anthropic.claude-3-7-sonnet-20250219-v1:0", enabled(32_000)],
    [
      "a budget with less room than was asked for",
      { reasoningBudgetTokens: 4000, maxTokens: 8000 },
      "claude-sonnet-4@20250514",
      enabled(1999),
      { maxTokens: 2000 },
    ],
  ])("%s", (_, parameters, model, expected, wish = {}) => {
    expect(thinks(parameters, model, wish)).toEqual({ thinking: undefined, ...expected });
  });

  test.each<[string, Init["parameters"], string, string, Partial<Wish>?]>([
    ["an effort that is too small", { reasoningEffort: "minimal" }, NEW, "reasoning_effort"],
    ["an effort of new models", { reasoningEffort: "max" }, OLD, "reasoning_effort"],
    [
      "a model that does not think",
      { reasoningEffort: "low" },
      "claude-3-5-haiku-20241022",
      "reasoning_effort",
    ],
    [
      "a budget of a model that does not think",
      { reasoningBudgetTokens: 2000 },
      "anthropic.claude-3-5-sonnet-20240620-v1:0",
      "reasoning_budget_tokens",
    ],
    ["both", { reasoningEffort: "low", reasoningBudgetTokens: 2000 }, OLD, "reasoning_budget_tokens"],
    [
      "a budget of a new model",
      { reasoningBudgetTokens: 2000 },
      "claude-opus-4-7",
      "reasoning_budget_tokens",
    ],
    ["a budget that is too small", { reasoningBudgetTokens: 1023 }, OLD, "reasoning_budget_tokens"],
    [
      "a budget as large as the answer",
      { reasoningBudgetTokens: 2000, maxTokens: 2000 },
      OLD,
      "reasoning_budget_tokens",
    ],
    ["no room to think", { reasoningEffort: "low" }, OLD, "reasoning_effort", { maxTokens: 1024 }],
  ])("%s is refused", (_, parameters, model, field, wish = {}) => {
    expect(refusedFor({ parameters }, { model, modelMaxTokens: 64_000, ...wish })).toEqual([
      `parameters.${field}`,
    ]);
  });

  test("goes together with an answer's schema", () => {
    const responseFormat = { type: "json_schema", schemaJson: '{"type":"object"}' };
    const { output_config } = encode({ responseFormat, parameters: { reasoningEffort: "low" } });
    expect(output_config).toEqual({
      effort: "low",
      format: { type: "json_schema", schema: { type: "object" } },
    });
  });
});
