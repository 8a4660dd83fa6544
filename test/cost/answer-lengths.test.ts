import { expect, it } from "vitest";
import { AnswerLengths } from "../../src/cost/answer-lengths.ts";

it("expects a token for four bytes where nothing is known, and at least one", () => {
  const lengths = new AnswerLengths();
  expect(lengths.tokensOf("openai/gpt-4o", 400)).toBe(100);
  expect(lengths.tokensOf("openai/gpt-4o", 1)).toBe(1);
  expect(lengths.tokensOf("openai/gpt-4o", 0)).toBe(0);
});

it("learns what a model charges for a byte, and for no other model", () => {
  const lengths = new AnswerLengths();
  for (let n = 0; n < 100; n++) lengths.observe("a/thinker", 1_000, 2_000);
  expect(lengths.tokensOf("a/thinker", 1_000) / 2_000).toBeCloseTo(1, 1);
  expect(lengths.tokensOf("a/other", 1_000)).toBe(250);
});

it("follows a model that changes", () => {
  const lengths = new AnswerLengths();
  const many = (tokens: number, times: number) => {
    for (let n = 0; n < times; n++) lengths.observe("a/b", 10_000, tokens);
  };
  many(2_500, 10_000);
  many(5_000, 2_000);
  expect(lengths.tokensOf("a/b", 10_000)).toBeGreaterThan(4_900);
});

it("learns nothing of answers that have no words", () => {
  const lengths = new AnswerLengths();
  lengths.observe("a/speaker", 0, 1_000);
  expect(lengths.tokensOf("a/speaker", 400)).toBe(100);
});
