/**
 * Google Cloud's billing export, for Gemini and for Vertex AI: rows of BigQuery's tables as JSON (a list, or one a
 * line) or as CSV. Model and kind of token stand in the description of what was sold (SKU).
 */
import { type CsvRow, readCsv } from "./csv-file.ts";
import { costOf, countOf, dayOf, type ExportRow, inDollars, unreadable } from "./export.ts";
import { type JsonNode, readJson } from "./json-file.ts";

/** What a service is called in the export. */
const SERVICES = { gemini: /gemini api|generative language/i, vertex_ai: /vertex/i } as const;

export function readGoogle(service: keyof typeof SERVICES): (text: string, name: string) => ExportRow[] {
  return (text, name) => {
    const rows = /^\s*[[{]/.test(text) ? readJson(text, name).map(ofJson) : readCsv(text, name).map(ofCsv);
    return rows.filter((row) => SERVICES[service].test(row.service)).map(rowOf);
  };
}

interface BillingRow {
  readonly where: string;
  readonly service: string;
  readonly sku: string;
  readonly start: string;
  readonly amount: string;
  readonly unit: string;
  readonly cost: string;
  readonly currency: string;
}

function ofJson(row: JsonNode): BillingRow {
  const within = (first: string, second: string) => row.at(first).at(second).text();
  return {
    where: row.where,
    service: within("service", "description"),
    sku: within("sku", "description"),
    start: row.at("usage_start_time").text(),
    amount: within("usage", "amount"),
    unit: within("usage", "unit"),
    cost: row.at("cost").text(),
    currency: row.at("currency").text(),
  };
}

/** BigQuery writes nested names with a dot or, after a query, with a line. */
function ofCsv(row: CsvRow): BillingRow {
  const nested = (name: string) => row.text(name, name.replace(".", "_"));
  return {
    where: row.where,
    service: nested("service.description"),
    sku: nested("sku.description"),
    start: row.text("usage_start_time"),
    amount: nested("usage.amount"),
    unit: nested("usage.unit"),
    cost: row.text("cost"),
    currency: row.text("currency"),
  };
}

function rowOf({ where, sku, start, amount, unit, cost, currency }: BillingRow): ExportRow {
  if (sku === "") throw unreadable(where, "sku.description is missing");
  inDollars(currency, `${where}, currency`);
  const row = {
    day: dayOf(start, `${where}, usage_start_time`),
    model: modelOf(sku),
    costPicoUsd: costOf(cost, `${where}, cost`),
  };
  const kind = kindOf(sku);
  if (kind === undefined || !/^(count|tokens?)$/i.test(unit)) return row;
  const tokens = countOf(amount, `${where}, usage.amount`);
  return {
    ...row,
    inputTokens: kind === "output" ? 0n : tokens,
    cachedInputTokens: kind === "cached" ? tokens : 0n,
    outputTokens: kind === "output" ? tokens : 0n,
  };
}

function kindOf(sku: string): "input" | "cached" | "output" | undefined {
  // What is stored is paid by the hour, searches by their number.
  if (/storage|grounding|search/i.test(sku)) return undefined;
  if (/output|response/i.test(sku)) return "output";
  if (/cach/i.test(sku)) return "cached";
  return /input|prompt/i.test(sku) ? "input" : undefined;
}

/** Such as `Generate content input token count gemini 2.5 flash short input text`, `Gemini 2.5 Pro Text Input - Predictions`. */
const MODEL =
  /gemini[ -](?:embedding[ -])?\d+(?:\.\d+)?(?:[ -](?:flash|pro|ultra|nano|lite|preview)\b)*|gemini[ -]embedding/i;
/** What is said of another publisher's model comes behind its name. */
const BEHIND =
  /\s+(?:-\s.*|(?:batch |flex |cached? |cache |text |prompt )*(?:input|output|read|write)\b.*)$/i;

function modelOf(sku: string): string {
  return MODEL.exec(sku)?.[0] ?? sku.replace(BEHIND, "");
}
