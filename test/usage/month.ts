/** A month of calls as a gateway booked it and as its provider counted it, made up by a seed: both agree to the pico-dollar. */
import type { LedgerRow } from "../../clients/cli/reconcile/compare.ts";
import type { ExportRow } from "../../clients/cli/reconcile/export.ts";
import { mulberry32 } from "../../src/emulator/random.ts";

export const DAYS = Array.from({ length: 31 }, (_, n) => `2026-08-${String(n + 1).padStart(2, "0")}`);
const MODELS = ["gpt-4o", "gpt-4o-mini", "o3"];
const PRICES = {
  "gpt-4o": [2_500_000n, 10_000_000n],
  "gpt-4o-mini": [150_000n, 600_000n],
  o3: [2_000_000n, 8_000_000n],
} as const;
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A month as both saw it: tens of thousands of tokens a day, fewer on weekends. */
export function month(seed = 1): { ledger: Mutable<LedgerRow>[]; exported: Mutable<ExportRow>[] } {
  const random = mulberry32(seed);
  const ledger = DAYS.flatMap((day) =>
    MODELS.map((model): Mutable<LedgerRow> => {
      const isWeekend = [0, 6].includes(new Date(day).getUTCDay());
      const requests = BigInt(Math.floor((isWeekend ? 100 : 900) * (0.7 + 0.6 * random())));
      const inputTokens = requests * BigInt(Math.floor(800 + 400 * random()));
      const outputTokens = requests * BigInt(Math.floor(150 + 100 * random()));
      const cachedInputTokens = inputTokens / 4n;
      const [input, output] = PRICES[model as "o3"];
      const costPicoUsd = (inputTokens - cachedInputTokens / 2n) * input + outputTokens * output;
      const counts = {
        requests,
        ok: requests,
        estimated: 0n,
        unpriced: 0n,
        unknown: 0n,
        adjustmentPicoUsd: 0n,
      };
      return {
        day,
        model,
        ...counts,
        inputTokens,
        cachedInputTokens,
        cacheWriteTokens: 0n,
        outputTokens,
        costPicoUsd,
      };
    }),
  );
  const exported = ledger.map(
    ({ day, model, requests, inputTokens, cachedInputTokens, outputTokens, costPicoUsd }) => ({
      day,
      model: model === "gpt-4o" ? "gpt-4o-2024-08-06" : model,
      ...{ requests, inputTokens, cachedInputTokens, outputTokens, costPicoUsd },
    }),
  );
  return { ledger, exported };
}
