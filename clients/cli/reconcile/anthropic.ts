/**
 * Anthropic's usage and costs: JSON of `/v1/organizations/usage_report/messages` and `/v1/organizations/cost_report`,
 * and the CSV of the console's export of tokens or of costs.
 */
import { type CsvRow, readCsv } from "./csv-file.ts";
import { costOf, countOf, dayOf, type ExportRow, inDollars, unreadable } from "./export.ts";
import { type JsonNode, readJson } from "./json-file.ts";
import { rowsOfPage } from "./pages.ts";

export function readAnthropic(text: string, name: string): ExportRow[] {
  if (/^\s*[[{]/.test(text))
    return readJson(text, name).flatMap((page) => rowsOfPage(page, "starting_at", ofResult));
  return readCsv(text, name).map(ofLine);
}

function ofResult(result: JsonNode, day: string): ExportRow {
  const amount = result.at("amount");
  if (!amount.isAbsent) {
    inDollars(result.at("currency").text(), result.at("currency").where);
    const model = result.at("model").text() || result.at("description").text();
    // In cents.
    return { day, model, costPicoUsd: costOf(amount.text(), amount.where, -2) };
  }
  if (result.at("uncached_input_tokens").isAbsent)
    throw unreadable(result.where, "has neither `amount` nor `uncached_input_tokens`");
  const count = (node: JsonNode) => countOf(node.text(), node.where);
  const written = result.at("cache_creation");
  return rowOf(day, result.at("model").text(), {
    fresh: count(result.at("uncached_input_tokens")),
    cached: count(result.at("cache_read_input_tokens")),
    written: count(written.at("ephemeral_5m_input_tokens")) + count(written.at("ephemeral_1h_input_tokens")),
    output: count(result.at("output_tokens")),
  });
}

function ofLine(row: CsvRow): ExportRow {
  const day = dayOf(row.text("usage_date_utc"), `${row.where}, usage_date_utc`);
  if (row.has("cost_usd"))
    return {
      day,
      model: row.text("model"),
      costPicoUsd: costOf(row.text("cost_usd"), `${row.where}, cost_usd`),
    };
  return rowOf(day, row.text("model_version"), {
    fresh: row.count("usage_input_tokens_no_cache"),
    cached: row.count("usage_input_tokens_cache_read"),
    written: row.count("usage_input_tokens_cache_write_5m") + row.count("usage_input_tokens_cache_write_1h"),
    output: row.count("usage_output_tokens"),
  });
}

interface Tokens {
  readonly fresh: bigint;
  readonly cached: bigint;
  readonly written: bigint;
  readonly output: bigint;
}

function rowOf(day: string, model: string, { fresh, cached, written, output }: Tokens): ExportRow {
  return {
    day,
    model,
    inputTokens: fresh + cached + written,
    cachedInputTokens: cached,
    cacheWriteTokens: written,
    outputTokens: output,
  };
}
