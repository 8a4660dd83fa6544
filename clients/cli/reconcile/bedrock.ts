/**
 * What AWS charges for Bedrock: the Cost and Usage Report as CSV, in its first form and in 2.0, and Cost Explorer's
 * GetCostAndUsage by the usage type as JSON. Model and kind of token stand in the usage type.
 */
import { type CsvRow, readCsv } from "./csv-file.ts";
import { costOf, dayOf, type ExportRow, inDollars, unreadable } from "./export.ts";
import { type JsonNode, readJson } from "./json-file.ts";

export function readBedrock(text: string, name: string): ExportRow[] {
  if (/^\s*[[{]/.test(text)) return readJson(text, name).flatMap(ofCostExplorer);
  return readCsv(text, name).flatMap(ofReport);
}

interface Charge {
  readonly day: string;
  readonly usageType: string;
  /** Where the usage type does not name the model. */
  readonly product: string;
  readonly amount: string;
  readonly unit: string;
  readonly costPicoUsd: bigint;
  readonly where: string;
}

/** Both forms of the report have the same columns by other names. */
function ofReport(row: CsvRow): ExportRow[] {
  const text = (old: string, name: string) => row.text(old, name);
  const product = row.optional("product/ProductName", "product_product_name", "product");
  const code = text("lineItem/ProductCode", "line_item_product_code");
  if (!/bedrock/i.test(`${code} ${product}`)) return [];
  // Credits, taxes and discounts are about no calls.
  if (text("lineItem/LineItemType", "line_item_line_item_type") !== "Usage") return [];
  const { where } = row;
  inDollars(text("lineItem/CurrencyCode", "line_item_currency_code"), `${where}, currency code`);
  const cost = text("lineItem/UnblendedCost", "line_item_unblended_cost");
  return [
    rowOf({
      day: dayOf(text("lineItem/UsageStartDate", "line_item_usage_start_date"), `${where}, usage start date`),
      usageType: text("lineItem/UsageType", "line_item_usage_type"),
      product,
      amount: text("lineItem/UsageAmount", "line_item_usage_amount"),
      unit: row.optional("pricing/unit", "pricing_unit"),
      costPicoUsd: costOf(cost, `${where}, unblended cost`),
      where,
    }),
  ];
}

function ofCostExplorer(answer: JsonNode): ExportRow[] {
  return answer
    .at("ResultsByTime")
    .list()
    .flatMap((time) => {
      const start = time.at("TimePeriod").at("Start");
      const day = dayOf(start.text(), start.where);
      return time
        .at("Groups")
        .list()
        .map((group) => {
          const [usageType = "", product = ""] = group
            .at("Keys")
            .list()
            .map((key) => key.text());
          const cost = group.at("Metrics").at("UnblendedCost");
          inDollars(cost.at("Unit").text(), cost.at("Unit").where);
          return rowOf({
            day,
            usageType,
            product,
            amount: group.at("Metrics").at("UsageQuantity").at("Amount").text(),
            unit: group.at("Metrics").at("UsageQuantity").at("Unit").text(),
            costPicoUsd: costOf(cost.at("Amount").text(), cost.at("Amount").where),
            where: group.where,
          });
        });
    });
}

function rowOf({ day, usageType, product, amount, unit, costPicoUsd, where }: Charge): ExportRow {
  const kind = kindOf(usageType);
  const model = modelOf(usageType) || product;
  if (!kind) return { day, model: model || usageType, costPicoUsd };
  const tokens = tokensOf(amount, unit, usageType, where);
  return {
    day,
    model,
    costPicoUsd,
    inputTokens: kind === "output" ? 0n : tokens,
    cachedInputTokens: kind === "cached" ? tokens : 0n,
    cacheWriteTokens: kind === "written" ? tokens : 0n,
    outputTokens: kind === "output" ? tokens : 0n,
  };
}

function kindOf(usageType: string): "input" | "cached" | "written" | "output" | undefined {
  if (!/tokens?(?![a-z])|tokencount/i.test(usageType)) return undefined;
  if (/cache[-_]?read/i.test(usageType)) return "cached";
  if (/cache[-_]?write/i.test(usageType)) return "written";
  if (/output/i.test(usageType)) return "output";
  return /input/i.test(usageType) ? "input" : undefined;
}

/** Such as `USE1-NovaLite-input-tokens-batch`; of a model of the marketplace, `USE1-MP:USE1_InputTokenCount-Units`, it is no part. */
function modelOf(usageType: string): string {
  return usageType
    .replace(/^(?:[A-Z]{2,4}\d?-)?(?:MP:[A-Z]{2,4}\d?)?/, "")
    .replace(/[-_](?:mantle-)?(?:cache[-_]?(?:read|write)|input|output)[-_]?.*$/i, "");
}

/** The marketplace sells a million at a time, Bedrock itself a thousand. */
function tokensOf(amount: string, unit: string, usageType: string, where: string): bigint {
  const power = powerOf(unit, usageType);
  if (power === undefined) throw unreadable(where, `the unit "${unit}" of ${usageType} is not known`);
  // By their digits, as amounts are: what is left behind the point is rounding.
  return (costOf(amount, `${where}, usage amount`, power) + HALF) / WHOLE;
}

const WHOLE = 10n ** 12n;
const HALF = WHOLE / 2n;

function powerOf(unit: string, usageType: string): number | undefined {
  if (/^1?k tokens$/i.test(unit)) return 3;
  if (/^1?m tokens$/i.test(unit)) return 6;
  if (/^tokens?$/i.test(unit)) return 0;
  if (unit !== "" && !/^(units?|n\/a)$/i.test(unit)) return undefined;
  return /-units$/i.test(usageType) ? 6 : 3;
}
