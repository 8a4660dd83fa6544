/** How much of what was read came from prompt caches or went into them, by who read it, to expect the same again. */

import { LRUMap } from "mnemonist";
import type { Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Foreseen } from "./ceiling.ts";

/** Parts of an input, in tokens. */
export type CacheTokens = Pick<Usage, "cachedInputTokens" | "cacheWriteTokens"> & {
  readonly cacheWrite1hTokens: number;
};

export class PromptCaches {
  private readonly sums = new LRUMap<string, Sums>(TARGETS);

  /** @param writes what the request lets the provider keep, since callers who say so differ from those who do not */
  expect(target: string, writes: Foreseen["cacheWrites"], inputTokens: number): CacheTokens {
    const sums =
      inputTokens < SHORTEST || writes === "none" ? undefined : this.sums.get(keyOf(target, writes));
    if (!sums) return NOTHING_CACHED;
    const part = (tokens: number) => Math.floor((inputTokens * tokens) / (sums.input + PRIOR_TOKENS));
    return {
      cachedInputTokens: part(sums.cached),
      cacheWriteTokens: part(sums.written),
      cacheWrite1hTokens: part(sums.writtenFor1h),
    };
  }

  observe(target: string, writes: Foreseen["cacheWrites"], usage: Usage): void {
    const { inputTokens, cachedInputTokens, cacheWriteTokens, cacheWrite1hTokens = 0 } = usage;
    if (inputTokens < SHORTEST || writes === "none") return;
    const key = keyOf(target, writes);
    const { input, cached, written, writtenFor1h } = this.sums.get(key) ?? EMPTY;
    this.sums.set(key, {
      input: KEPT * input + inputTokens,
      cached: KEPT * cached + Math.min(cachedInputTokens, inputTokens),
      written: KEPT * written + Math.min(cacheWriteTokens, inputTokens),
      writtenFor1h: KEPT * writtenFor1h + Math.min(cacheWrite1hTokens, inputTokens),
    });
  }
}

interface Sums {
  readonly input: number;
  readonly cached: number;
  readonly written: number;
  readonly writtenFor1h: number;
}

const EMPTY: Sums = { input: 0, cached: 0, written: 0, writtenFor1h: 0 };
export const NOTHING_CACHED: CacheTokens = {
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  cacheWrite1hTokens: 0,
};
const TARGETS = 1_000;
/** What is shorter no provider caches: https://platform.openai.com/docs/guides/prompt-caching has 1,024 tokens. */
const SHORTEST = 1_000;
/** Nothing is cached, as far as so many tokens of the past may say so. */
const PRIOR_TOKENS = 2_000;
/** Of the past with each call, so that the last hundred count most. */
const KEPT = 0.99;

function keyOf(target: string, writes: Foreseen["cacheWrites"]): string {
  return `${writes} ${target}`;
}
