/**
 * OpenAI's usage and costs: JSON of `/v1/organization/usage/*` and `/v1/organization/costs`, pages as they come, and
 * the CSV of the dashboard's export, whose columns are the same fields.
 */
import { type CsvRow, readCsv } from "./csv-file.ts";
import { costOf, countOf, dayOf, type ExportRow, inDollars, unreadable } from "./export.ts";
import { type JsonNode, readJson } from "./json-file.ts";
import { rowsOfPage } from "./pages.ts";

export function readOpenAi(text: string, name: string): ExportRow[] {
  if (/^\s*[[{]/.test(text))
    return readJson(text, name).flatMap((page) => rowsOfPage(page, "start_time", ofResult));
  return readCsv(text, name).flatMap(ofLine);
}

function ofResult(result: JsonNode, day: string): ExportRow {
  const amount = result.at("amount");
  if (!amount.isAbsent) {
    inDollars(amount.at("currency").text(), amount.at("currency").where);
    const value = amount.at("value");
    return {
      day,
      model: modelOf(result.at("line_item").text()),
      costPicoUsd: costOf(value.text(), value.where),
    };
  }
  const count = (field: string) => countOf(result.at(field).text(), result.at(field).where);
  if (result.at("input_tokens").isAbsent)
    throw unreadable(result.where, "has neither `amount` nor `input_tokens`");
  return {
    day,
    model: result.at("model").text(),
    requests: count("num_model_requests"),
    inputTokens: count("input_tokens"),
    cachedInputTokens: count("input_cached_tokens"),
    outputTokens: count("output_tokens"),
  };
}

function ofLine(row: CsvRow): ExportRow[] {
  const day = dayOf(row.text("start_time_iso", "start_time"), `${row.where}, start_time`);
  if (row.has("amount_value")) {
    // A day without any has an empty line.
    if (row.text("amount_value") === "") return [];
    inDollars(row.text("amount_currency"), `${row.where}, amount_currency`);
    const costPicoUsd = costOf(row.text("amount_value"), `${row.where}, amount_value`);
    return [{ day, model: modelOf(row.optional("line_item")), costPicoUsd }];
  }
  const count = (column: string) => (row.has(column) ? row.count(column) : 0n);
  const inputTokens = row.count("input_tokens");
  const requests = row.count("num_model_requests");
  if (inputTokens === 0n && requests === 0n && row.optional("model") === "") return [];
  return [
    {
      day,
      model: row.text("model"),
      requests,
      inputTokens,
      cachedInputTokens: count("input_cached_tokens"),
      outputTokens: count("output_tokens"),
    },
  ];
}

/** Such as `gpt-4o-2024-08-06, cached input`. */
function modelOf(lineItem: string): string {
  return lineItem.split(",")[0]?.trim() ?? "";
}
