/**
 * Mistral's usage as CSV. Mistral documents no columns; those are read that are named as other exports name them, and a
 * file with others says which are missing.
 */
import { readCsv } from "./csv-file.ts";
import { costOf, dayOf, type ExportRow, inDollars } from "./export.ts";

const REQUESTS = ["requests", "num_requests", "request_count"];
const CACHED = ["cached_tokens", "input_cached_tokens", "cached_input_tokens"];
const COST = ["cost_usd", "cost", "total_cost", "amount"];

export function readMistral(text: string, name: string): ExportRow[] {
  return readCsv(text, name).map((row) => {
    const costs = row.has(...COST);
    if (costs && !row.has("cost_usd")) inDollars(row.text("currency"), `${row.where}, currency`);
    return {
      day: dayOf(row.text("date", "day", "usage_date"), `${row.where}, date`),
      model: row.text("model", "model_name"),
      inputTokens: row.count("input_tokens", "prompt_tokens"),
      outputTokens: row.count("output_tokens", "completion_tokens"),
      ...(row.has(...REQUESTS) && { requests: row.count(...REQUESTS) }),
      ...(row.has(...CACHED) && { cachedInputTokens: row.count(...CACHED) }),
      ...(costs && { costPicoUsd: costOf(row.text(...COST), `${row.where}, cost`) }),
    };
  });
}
