/** What of an input is expected to come from prompt caches. */
import { expect, it } from "vitest";
import { usage } from "../../src/core/usage.ts";
import { NOTHING_CACHED, PromptCaches } from "../../src/cost/prompt-caches.ts";

const MODEL = "claude/claude-sonnet-5";

function having(calls: number, fields: Parameters<typeof usage>[1]): PromptCaches {
  const caches = new PromptCaches();
  for (let call = 0; call < calls; call++) caches.observe(MODEL, "default", usage("measured", fields));
  return caches;
}

it("is nothing before there was a call, and of others", () => {
  const caches = having(50, { inputTokens: 10_000, cachedInputTokens: 8_000 });
  expect(new PromptCaches().expect(MODEL, "default", 10_000)).toEqual(NOTHING_CACHED);
  expect(caches.expect("claude/claude-opus-4", "default", 10_000)).toEqual(NOTHING_CACHED);
  expect(caches.expect(MODEL, "1h", 10_000)).toEqual(NOTHING_CACHED);
  expect(caches.expect(MODEL, "none", 10_000)).toEqual(NOTHING_CACHED);
});

it("is the share that it was", () => {
  const caches = having(50, { inputTokens: 10_000, cachedInputTokens: 8_000, cacheWriteTokens: 1_000 });
  const { cachedInputTokens, cacheWriteTokens, cacheWrite1hTokens } = caches.expect(MODEL, "default", 5_000);
  expect(Math.abs(cachedInputTokens / 4_000 - 1)).toBeLessThan(0.02);
  expect(Math.abs(cacheWriteTokens / 500 - 1)).toBeLessThan(0.02);
  expect(cacheWrite1hTokens).toBe(0);
});

it("is nothing of what is too short for a cache", () => {
  const caches = having(50, { inputTokens: 10_000, cachedInputTokens: 8_000 });
  expect(caches.expect(MODEL, "default", 900)).toEqual(NOTHING_CACHED);
  caches.observe(MODEL, "default", usage("measured", { inputTokens: 900 }));
  expect(caches.expect(MODEL, "default", 10_000).cachedInputTokens).toBeGreaterThan(7_900);
});

it("is never more than there is, and follows when callers change", () => {
  const caches = having(200, { inputTokens: 2_000, cachedInputTokens: 9_000 });
  expect(caches.expect(MODEL, "default", 2_000).cachedInputTokens).toBeLessThanOrEqual(2_000);
  for (let call = 0; call < 500; call++)
    caches.observe(MODEL, "default", usage("measured", { inputTokens: 2_000 }));
  expect(caches.expect(MODEL, "default", 2_000).cachedInputTokens).toBeLessThan(40);
});
