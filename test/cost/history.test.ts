import { describe, expect, it } from "vitest";
import { OutputHistory } from "../../src/cost/history.ts";

const MODEL = "openai/gpt-4o";

function having(lengths: Iterable<number>, history = new OutputHistory()): OutputHistory {
  for (const tokens of lengths) history.observe(MODEL, tokens);
  return history;
}

function* repeated(times: number, ...lengths: readonly number[]): Generator<number> {
  for (let time = 0; time < times; time++) yield* lengths;
}

describe("an answer's length", () => {
  it("is guessed before there was one", () => {
    expect(new OutputHistory().expect(MODEL)).toEqual({ expected: 256, likely: 4_096 });
  });

  it("is limited by the caller and by the model", () => {
    const history = new OutputHistory();
    expect(history.expect(MODEL, 100, 16_000)).toEqual({ expected: 100, likely: 100 });
    expect(history.expect(MODEL, undefined, 2_000)).toEqual({ expected: 256, likely: 2_000 });
    expect(history.expect(MODEL, undefined, undefined)).toEqual({ expected: 256, likely: 4_096 });
  });

  it("is expected to be the median of what was, and likely no more than nearly all were", () => {
    const history = having(repeated(20, ...Array.from({ length: 100 }, (_, at) => 10 * (at + 1))));
    const { expected, likely } = history.expect(MODEL);
    expect(Math.abs(expected / 500 - 1)).toBeLessThan(0.1);
    expect(likely).toBeGreaterThanOrEqual(990);
    expect(likely).toBeLessThan(1_500);
  });

  it("is that of the target alone", () => {
    const history = having(repeated(100, 20));
    expect(history.expect(MODEL).expected).toBeLessThan(25);
    expect(history.expect("openai/o3")).toEqual({ expected: 256, likely: 4_096 });
  });

  it("does not follow one answer", () => {
    expect(having([60_000]).expect(MODEL).expected).toBe(256);
    expect(having([0]).expect(MODEL).expected).toBe(256);
  });

  it("follows when it changes for good", () => {
    const history = having(repeated(20_000, 2_000), having(repeated(20_000, 50)));
    expect(Math.abs(history.expect(MODEL).expected / 2_000 - 1)).toBeLessThan(0.1);
  });

  it("may be anything", () => {
    const { expected, likely } = having(repeated(100, 0, 1, 2 ** 31)).expect(MODEL);
    expect(expected).toBe(1);
    expect(likely).toBeGreaterThan(1_000_000);
  });
});

describe("an answer's length on average", () => {
  it("is guessed before there was one, and within its limit", () => {
    expect(new OutputHistory().mean(MODEL)).toBe(256);
    expect(new OutputHistory().mean(MODEL, 100)).toBe(100);
  });

  it("counts long ones for what they are, unlike the median", () => {
    const history = having(repeated(50, 10, 10, 10, 970));
    expect(history.mean(MODEL)).toBe(250);
    expect(history.expect(MODEL).expected).toBeLessThan(12);
  });

  it("is that of answers that the limit cuts", () => {
    const history = having(repeated(50, 10, 10, 10, 970));
    expect(history.mean(MODEL, 90)).toBe(30);
    expect(history.mean(MODEL, 5)).toBe(5);
  });

  it("is not that of one answer", () => {
    expect(having([60_000]).mean(MODEL)).toBeLessThan(1_000);
    expect(having([0]).mean(MODEL)).toBe(224);
  });

  it("follows when it changes for good", () => {
    const history = having(repeated(20_000, 2_000), having(repeated(20_000, 50)));
    expect(Math.abs(history.mean(MODEL) / 2_000 - 1)).toBeLessThan(0.1);
  });
});

it("no more than a thousand targets are remembered, and those that were met last", () => {
  const history = new OutputHistory();
  for (const tokens of repeated(100, 20)) history.observe("first", tokens);
  for (let target = 0; target < 1_000; target++) history.observe(`${target}`, 10);
  expect(history.expect("first").expected).toBe(256);
});
